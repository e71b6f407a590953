"""How busy the GPU is and how much of its memory is taken, asked of NVIDIA's management library while a block runs."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

from engines.runtime.base import NotUsableError
from engines.runtime.torch.cuda_device import driver_device

_EVERY_S = 0.1
_JOIN_S = 2.0


class _Rates(ctypes.Structure):
    """nvmlUtilization_t of nvml.h: percent of the last sample period."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t of nvml.h: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


def why_no_gpu() -> str:
    """Nothing where there is an NVIDIA GPU; else why not, in words."""
    try:
        driver_device()
    except NotUsableError as error:
        return error.reason
    return ""


class GpuWatch:
    """Samples the GPU that CUDA calls the first, from `start` to `stop`; where there is none, nothing happens.

    Args:
        load: opens a shared library by its name.
    """

    def __init__(self, load: Callable[[str], Any] = ctypes.CDLL) -> None:
        self._busy_percent: list[int] = []
        self._used_mb = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu watch", daemon=True)
        self._nvml: Any = None
        self._gpu = ctypes.c_void_p()
        try:
            self._nvml = self._opened(load)
        except (OSError, AttributeError):
            self._nvml = None

    def start(self) -> None:
        """Begin to sample."""
        if self._nvml is not None:
            self._thread.start()

    def stop(self) -> dict[str, float] | None:
        """The mean of how busy it was, in percent of the time, and the most memory that all programs took of it, in
        megabytes; None where there is no GPU or it does not tell.
        """
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        if not self._busy_percent:
            return None
        mean = sum(self._busy_percent) / len(self._busy_percent)
        return {"busy_percent": round(mean, 1), "memory_mb": round(self._used_mb, 1)}

    def _opened(self, load: Callable[[str], Any]) -> Any:
        """The library, ready to be asked; None where there is no GPU."""
        windows = sys.platform == "win32"
        cuda = load("nvcuda.dll" if windows else "libcuda.so.1")
        bus_id, device = ctypes.create_string_buffer(64), ctypes.c_int()
        if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
            return None
        if cuda.cuDeviceGetPCIBusId(bus_id, len(bus_id), device):
            return None
        nvml = load("nvml.dll" if windows else "libnvidia-ml.so.1")
        # The two libraries count GPUs in different orders: the place on the bus says which is meant.
        if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByPciBusId_v2(bus_id, ctypes.byref(self._gpu)):
            return None
        return nvml

    def _run(self) -> None:
        rates, memory = _Rates(), _Memory()
        while not self._over.wait(_EVERY_S):
            if not self._nvml.nvmlDeviceGetUtilizationRates(self._gpu, ctypes.byref(rates)):
                self._busy_percent.append(int(rates.gpu))
            if not self._nvml.nvmlDeviceGetMemoryInfo(self._gpu, ctypes.byref(memory)):
                self._used_mb = max(self._used_mb, memory.used / 1e6)
