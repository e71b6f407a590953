"""The NVIDIA GPU of this machine: asked of the driver itself, so that a machine without one never loads PyTorch."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from engines.runtime.base import NotUsableError
from engines.text import first_line

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in cuda.h


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """The first GPU that the driver shows.

    Attributes:
        capability: compute capability, as in (8, 9).
        cuda: the newest CUDA version that the driver runs, as in (13, 0).
        driver: the driver's own version, as in "580.95.05"; empty where it does not say.
    """

    name: str
    capability: tuple[int, int]
    cuda: tuple[int, int]
    driver: str = ""


@cache
def driver_device() -> CudaDevice:
    """The GPU, as the driver tells.

    Raises:
        NotUsableError: there is no driver, no GPU, or the driver fails.
    """
    return query_driver(ctypes.CDLL)


def query_driver(load: Callable[[str], Any]) -> CudaDevice:
    """See `driver_device`; `load` opens a shared library by its name."""
    try:
        driver = load("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        raise NotUsableError("there is no NVIDIA driver on this machine") from None

    def number(function: str, *arguments: object) -> int:
        out = ctypes.c_int()
        code = getattr(driver, function)(ctypes.byref(out), *arguments)
        if code:
            raise NotUsableError(f"the NVIDIA driver fails ({function} answers {code})", "restart, or reinstall it")
        return out.value

    if driver.cuInit(0):
        raise NotUsableError("the NVIDIA driver finds no GPU that it can use", "look at what nvidia-smi says")
    if number("cuDeviceGetCount") < 1:
        raise NotUsableError("the NVIDIA driver shows no GPU", "look at CUDA_VISIBLE_DEVICES")
    device, version = number("cuDeviceGet", 0), number("cuDriverGetVersion")
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGetName(name, len(name), device)
    capability = number("cuDeviceGetAttribute", _MAJOR, device), number("cuDeviceGetAttribute", _MINOR, device)
    cuda = version // 1000, version % 1000 // 10
    return CudaDevice(name.value.decode(errors="replace"), capability, cuda, _driver_version(load))


def _driver_version(load: Callable[[str], Any]) -> str:
    """What NVIDIA's management library says, which comes with every driver."""
    text = ctypes.create_string_buffer(96)
    try:
        library = load("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
        if library.nvmlInit_v2() or library.nvmlSystemGetDriverVersion(text, len(text)):
            return ""
    except (OSError, AttributeError):
        return ""
    return text.value.decode(errors="replace")


def torch_device() -> CudaDevice:
    """The GPU, after PyTorch has used it once.

    Raises:
        NotUsableError: there is none, or PyTorch cannot use it.
    """
    device = driver_device()
    import torch

    if torch.version.cuda is None:
        raise NotUsableError("this PyTorch was built without CUDA", "install the CUDA build: pip install torch")
    needs = tuple(int(part) for part in torch.version.cuda.split(".")[:2])
    if needs[0] > device.cuda[0]:
        does = f"the NVIDIA driver runs CUDA {device.cuda[0]}.{device.cuda[1]} at most"
        raise NotUsableError(f"{does}, and PyTorch wants {torch.version.cuda}", "install a newer driver")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    try:
        if not available:
            raise RuntimeError(str(said[0].message) if said else "it sees no GPU")
        if float(torch.ones(2, device="cuda").sum()) != 2.0:
            raise RuntimeError("1 + 1 is not 2 on it")
    except RuntimeError as error:
        raise NotUsableError(f"PyTorch cannot use the {device.name}: {first_line(error)}") from error
    return device
