"""GPU detection and the reasons why a GPU is not usable, with simulated NVIDIA drivers as declared in cuda.h."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import pytest
import torch

from engines.runtime.base import NotUsableError
from engines.runtime.torch import cuda_device
from engines.runtime.torch.cuda_device import query_driver


class Driver:
    """The functions of the NVIDIA driver and its management library, as cuda.h and nvml.h declare them."""

    def __init__(self, *, init: int = 0, count: int = 1, code: int = 0) -> None:
        self._init, self._count, self._code = init, count, code

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._init

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlSystemGetDriverVersion(self, out: ctypes.Array[ctypes.c_char], length: int) -> int:  # noqa: N802
        out.value = b"570.86.15"
        return 0

    def __getattr__(self, name: str) -> Callable[..., int]:
        def function(out: object, *arguments: int) -> int:
            values = {"cuDeviceGetCount": self._count, "cuDeviceGet": 0, "cuDriverGetVersion": 12080}
            if name == "cuDeviceGetName":
                out.value = b"NVIDIA GeForce RTX 4090"  # type: ignore[attr-defined]
            elif name == "cuDeviceGetAttribute":
                out._obj.value = {75: 8, 76: 9}[arguments[0]]  # type: ignore[attr-defined]
            else:
                out._obj.value = values[name]  # type: ignore[attr-defined]
            return self._code

        return function


def test_the_driver_describes_the_gpu() -> None:
    device = query_driver(lambda name: Driver())
    assert (device.name, device.capability, device.cuda) == ("NVIDIA GeForce RTX 4090", (8, 9), (12, 8))
    assert device.driver == "570.86.15"


def test_a_driver_without_a_version_is_accepted() -> None:
    def load(name: str) -> Driver:
        if "cuda" not in name:
            raise OSError(name)
        return Driver()

    assert query_driver(load).driver == ""


def test_a_missing_nvidia_driver_is_reported() -> None:
    def load(name: str) -> ctypes.CDLL:
        raise OSError(f"{name}: cannot open shared object file")

    with pytest.raises(NotUsableError, match="no NVIDIA driver"):
        query_driver(load)


@pytest.mark.parametrize(
    ("driver", "says"),
    [
        (Driver(init=100), "finds no usable GPU"),
        (Driver(count=0), "CUDA_VISIBLE_DEVICES"),
        (Driver(code=999), "driver fails .*999"),
    ],
)
def test_an_unusable_gpu_is_reported(driver: Driver, says: str) -> None:
    with pytest.raises(NotUsableError, match=says):
        query_driver(lambda name: driver)


@pytest.mark.parametrize(
    ("built_for", "driver_cuda", "says"),
    [(None, (13, 0), "built without CUDA"), ("13.0", (12, 8), "supports CUDA 12.8 at most, and PyTorch requires 13.0")],
)
def test_an_unsuitable_pytorch_build_is_reported(
    built_for: str | None, driver_cuda: tuple[int, int], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = cuda_device.CudaDevice("NVIDIA GeForce RTX 4090", (8, 9), driver_cuda)
    monkeypatch.setattr(cuda_device, "driver_device", lambda: device)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    with pytest.raises(NotUsableError, match=says):
        cuda_device.torch_device()


def test_a_gpu_that_pytorch_cannot_find_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    device = cuda_device.CudaDevice("NVIDIA GeForce GTX 970", (5, 2), (13, 0))
    monkeypatch.setattr(cuda_device, "driver_device", lambda: device)
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NotUsableError, match="cannot use the NVIDIA GeForce GTX 970: it finds no GPU"):
        cuda_device.torch_device()
