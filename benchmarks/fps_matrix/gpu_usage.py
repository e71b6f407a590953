"""Sampling of GPU utilisation and memory through NVIDIA's management library (NVML)."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections.abc import Callable
from typing import Any

_INTERVAL_S = 0.1
_JOIN_TIMEOUT_S = 2.0


class _Rates(ctypes.Structure):
    """nvmlUtilization_t of nvml.h: percent of the last sample period."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class _Memory(ctypes.Structure):
    """nvmlMemory_t of nvml.h: bytes."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class GpuSampler:
    """Samples the first CUDA device between `start` and `stop`; without a GPU it does nothing."""

    def __init__(self, load: Callable[[str], Any] = ctypes.CDLL) -> None:
        self._busy_percent: list[int] = []
        self._used_mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gpu sampler", daemon=True)
        self._gpu = ctypes.c_void_p()
        try:
            self._nvml = self._open(load)
        except (OSError, AttributeError):
            self._nvml = None

    def start(self) -> None:
        """Start sampling."""
        if self._nvml is not None:
            self._thread.start()

    def stop(self) -> dict[str, float] | None:
        """Return mean utilisation in percent and maximum memory used by all programs in MB; None if unknown."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_JOIN_TIMEOUT_S)
        if not self._busy_percent:
            return None
        mean = sum(self._busy_percent) / len(self._busy_percent)
        return {"busy_percent": round(mean, 1), "memory_mb": round(self._used_mb, 1)}

    def _open(self, load: Callable[[str], Any]) -> Any:
        """Return the initialised library; None without a GPU."""
        is_windows = sys.platform == "win32"
        cuda = load("nvcuda.dll" if is_windows else "libcuda.so.1")
        bus_id, device = ctypes.create_string_buffer(64), ctypes.c_int()
        if cuda.cuInit(0) or cuda.cuDeviceGet(ctypes.byref(device), 0):
            return None
        if cuda.cuDeviceGetPCIBusId(bus_id, len(bus_id), device):
            return None
        nvml = load("nvml.dll" if is_windows else "libnvidia-ml.so.1")
        # CUDA and NVML number the GPUs differently: the PCI bus id identifies the device.
        if nvml.nvmlInit_v2() or nvml.nvmlDeviceGetHandleByPciBusId_v2(bus_id, ctypes.byref(self._gpu)):
            return None
        return nvml

    def _run(self) -> None:
        rates, memory = _Rates(), _Memory()
        while not self._stop.wait(_INTERVAL_S):
            if not self._nvml.nvmlDeviceGetUtilizationRates(self._gpu, ctypes.byref(rates)):
                self._busy_percent.append(int(rates.gpu))
            if not self._nvml.nvmlDeviceGetMemoryInfo(self._gpu, ctypes.byref(memory)):
                self._used_mb = max(self._used_mb, memory.used / 1e6)
