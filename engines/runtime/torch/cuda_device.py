"""The NVIDIA GPU of this machine, found through the driver, so that PyTorch is not loaded on machines without one."""

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
    """The first GPU that the driver lists.

    Attributes:
        name: As in "NVIDIA GeForce RTX 4090".
        capability: Compute capability, as in (8, 9).
        cuda: Newest CUDA version that the driver supports, as in (13, 0).
        driver: Version of the driver, as in "580.95.05"; empty if unknown.
    """

    name: str
    capability: tuple[int, int]
    cuda: tuple[int, int]
    driver: str = ""


@cache
def driver_device() -> CudaDevice:
    """Return the GPU, as the driver describes it. Raises NotUsableError if there is none, or the driver fails."""
    return query_driver(ctypes.CDLL)


def query_driver(load: Callable[[str], Any]) -> CudaDevice:
    """See `driver_device`; `load` opens a shared library by name."""
    try:
        driver = load("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        raise NotUsableError("there is no NVIDIA driver on this machine") from None

    def number(function: str, *arguments: object) -> int:
        out = ctypes.c_int()
        code = getattr(driver, function)(ctypes.byref(out), *arguments)
        if code:
            reason = f"the NVIDIA driver fails ({function} returns {code})"
            raise NotUsableError(reason, "restart, or reinstall the driver")
        return out.value

    if driver.cuInit(0):
        raise NotUsableError("the NVIDIA driver finds no usable GPU", "check the output of nvidia-smi")
    if number("cuDeviceGetCount") < 1:
        raise NotUsableError("the NVIDIA driver lists no GPU", "check CUDA_VISIBLE_DEVICES")
    device, version = number("cuDeviceGet", 0), number("cuDriverGetVersion")
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGetName(name, len(name), device)
    capability = number("cuDeviceGetAttribute", _MAJOR, device), number("cuDeviceGetAttribute", _MINOR, device)
    cuda = version // 1000, version % 1000 // 10
    return CudaDevice(name.value.decode(errors="replace"), capability, cuda, _driver_version(load))


def _driver_version(load: Callable[[str], Any]) -> str:
    """Return the driver's version from NVIDIA's management library, which is part of every driver."""
    text = ctypes.create_string_buffer(96)
    try:
        library = load("nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1")
        if library.nvmlInit_v2() or library.nvmlSystemGetDriverVersion(text, len(text)):
            return ""
    except (OSError, AttributeError):
        return ""
    return text.value.decode(errors="replace")


def torch_device() -> CudaDevice:
    """Return the GPU after PyTorch has calculated on it. Raises NotUsableError if PyTorch cannot use one."""
    device = driver_device()
    import torch

    if torch.version.cuda is None:
        raise NotUsableError("this PyTorch was built without CUDA", "install the CUDA build: pip install torch")
    required = tuple(int(part) for part in torch.version.cuda.split(".")[:2])
    if required[0] > device.cuda[0]:
        supported = "{}.{}".format(*device.cuda)
        reason = f"the NVIDIA driver supports CUDA {supported} at most, and PyTorch requires {torch.version.cuda}"
        raise NotUsableError(reason, "install a newer driver")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    try:
        if not available:
            raise RuntimeError(str(caught[0].message) if caught else "it finds no GPU")
        if float(torch.ones(2, device="cuda").sum()) != 2.0:
            raise RuntimeError("1 + 1 is not 2 on it")
    except RuntimeError as error:
        raise NotUsableError(f"PyTorch cannot use the {device.name}: {first_line(error)}") from error
    return device
