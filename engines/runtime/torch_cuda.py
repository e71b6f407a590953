"""PyTorch on an NVIDIA GPU: half precision, channels last, recorded as a CUDA graph."""

from __future__ import annotations

import copy
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engines import cache
from engines.runtime.base import EngineInfo, NotUsableError
from engines.runtime.cuda_device import CudaDevice, torch_device
from engines.runtime.cuda_run import Runs, StaticRun
from engines.runtime.door import Door
from engines.runtime.fallback import FallbackEngine, Way
from engines.runtime.openvino_cpu import holds, probe
from engines.styles import Style


class TorchCudaEngine(FallbackEngine):
    """See `Engine`. Before it is used, its answer to a probe is held against FP32 on the same GPU.

    Where the recording fails or gives NaN while frames come in, FP32 without one goes on, and after it the CPU.

    Args:
        style: what to run.
        precision: "fp16" or "fp32".

    Raises:
        NotUsableError: there is no such GPU, its memory is full, or the precision does not hold for this style.
        EngineError: the weights are not usable.
    """

    def __init__(self, style: Style, *, precision: str = "fp16") -> None:
        device = torch_device()
        net = style.load_generator()
        with out_of_memory_said():
            full = eager(net, "cuda")
            runs = recorded(net, style.size_wh, precision)
            off = compared(runs, full, style.size_wh)
        why = f"at most {off:.1f}/255 off FP32 on a probe" if precision == "fp16" else "FP32, as the reference"
        info = EngineInfo(style.name, "torch", precision, device.name, why, engine_key(style, precision, device))
        super().__init__(info, [(runs, "torch", precision, device.name), *slower(net, full, device)])


class out_of_memory_said:  # noqa: N801 - a context manager
    """Inside it, a GPU without room is a runtime that cannot be used."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            raise NotUsableError("the GPU's memory is full", "close other programs that use it") from error


def recorded(net: nn.Module, size_wh: tuple[int, int], precision: str, device: str = "cuda") -> Runs:
    """The network in a precision ("fp16", "fp32"), channels last, with fixed buffers."""
    dtype = {"fp16": torch.float16, "fp32": torch.float32}[precision]
    form = torch.channels_last
    made = copy.deepcopy(net).to(device=device, dtype=dtype, memory_format=form).eval()  # type: ignore[call-overload]
    return Runs(lambda count: StaticRun(made, count, size_wh, dtype=dtype, memory_format=form, device=device))


def eager(net: nn.Module, device: str) -> Way:
    """The reference as it stands, on a device, in true FP32: no TF32 inside."""
    door = Door(copy.deepcopy(net)).to(device).eval()

    def way(regions_bgr: NDArray[np.uint8]) -> tuple[NDArray[np.float32], bool]:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            out: NDArray[np.float32] = door(torch.from_numpy(regions_bgr).to(device)).cpu().numpy()
        return out, bool(np.isfinite(out).all())

    return way


def slower(net: nn.Module, full: Way, device: CudaDevice) -> list[tuple[Way, str, str, str]]:
    """What goes on where the fast way fails: FP32 on the GPU, then on the CPU."""
    return [(full, "torch", "fp32", device.name), (eager(net, "cpu"), "torch", "fp32", "CPU")]


def compared(fast: Way, full: Way, size_wh: tuple[int, int]) -> float:
    """How far off the reference a fast way is at most on a probe, of 255, for one face and for several.

    Raises:
        NotUsableError: farther than what holds for a picture.
    """
    one_bgr = probe(size_wh)
    most = 0.0
    for regions_bgr in (one_bgr, np.ascontiguousarray(np.repeat(one_bgr, 3, axis=0)[:, ::-1])):
        answer, reference = fast(regions_bgr)[0], full(regions_bgr)[0]
        if not holds(answer, reference):
            raise NotUsableError(f"on a probe it is {np.abs(answer - reference).max():.1f} of 255 off FP32")
        most = max(most, float(np.abs(answer - reference).max()))
    return most


def engine_key(style: Style, precision: str, device: CudaDevice) -> str:
    """The name under which calibration's verdict on this engine lies."""
    return cache.key(**style_parts(style), **device_parts(device), runtime="torch", precision=precision)


def style_parts(style: Style) -> dict[str, Any]:
    """What of a style changes an engine's bytes."""
    return {
        "weights": style.weights_digest(),
        "source": style.source_digest(),
        "generator": [style.generator, style.card.get("generator_args", {})],
        "size_wh": list(style.size_wh),
    }


def device_parts(device: CudaDevice) -> dict[str, Any]:
    """What of a GPU and its libraries changes an engine's bytes or its answers."""
    return {
        "device": device.name,
        "capability": list(device.capability),
        "driver": [device.driver, *device.cuda],
        "torch": metadata.version("torch"),
        "cuda": torch.version.cuda,
    }
