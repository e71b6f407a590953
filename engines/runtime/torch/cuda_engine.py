"""PyTorch on an NVIDIA GPU: FP16 or FP32, channels last, recorded as a CUDA graph."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import OptionsError
from engines.runtime.base import EngineInfo, NotUsableError, Regions
from engines.runtime.fallback import FallbackEngine, FallbackStep, InferFunction
from engines.runtime.io_adapter import IoAdapter
from engines.runtime.probe import probe_bgr, within_tolerance
from engines.runtime.torch.cuda_device import CudaDevice, torch_device
from engines.runtime.torch.cuda_graph import Runs, StaticRun
from engines.styles import Style
from engines.text import first_line

COMPILE = "VENEER_TORCH_COMPILE"  # environment variable: "max-autotune" or unset
_MODE = "max-autotune"


class TorchCudaEngine(FallbackEngine):
    """See `Engine`. Its answer to a probe is compared with FP32 on the same GPU before it is used.

    Falls back to FP32 on the GPU, without a recording, if FP16 gives NaN or an FP32 recording fails. Raises
    NotUsableError if there is no usable GPU, its memory is full, or the precision is not accurate for this style;
    EngineError if the weights are not usable; OptionsError if the environment variable names an unknown mode.

    Args:
        precision: "fp16" or "fp32".
        autotune: Let torch.compile choose the kernels in the mode "max-autotune", which takes a minute or more at each
            start; None to follow the environment variable `COMPILE`. If compiling fails, the network runs uncompiled.
    """

    def __init__(self, style: Style, *, precision: str = "fp16", autotune: bool | None = None) -> None:
        autotune = autotune_requested() if autotune is None else autotune
        device = torch_device()
        net = style.load_generator()
        with gpu_memory_errors():
            reference = eager_reference(net, "cuda")
            compiled, note = _compile_network(net, reference, style, precision) if autotune else (None, "")
            runs = compiled or record_network(net, style.input_wh, precision)
            deviation = max_deviation(runs, reference, style.input_wh)
        why = probe_text(deviation) if precision == "fp16" else "FP32, as the reference"
        key = engine_key(style, precision, device, autotune=compiled is not None)
        info = EngineInfo(style.name, "torch", precision, device.name, "; ".join(filter(None, (why, note))), key)
        steps = [
            FallbackStep(runs, "torch", precision, device.name),
            FallbackStep(reference, "torch", "fp32", device.name, only_after_nan=precision == "fp16"),
        ]
        super().__init__(info, steps, size_wh=style.input_wh)


def autotune_requested() -> bool:
    """Whether the variable `COMPILE` requests torch.compile. Raises OptionsError if it names an unknown mode."""
    mode = os.environ.get(COMPILE, "")
    if mode not in ("", _MODE):
        raise OptionsError(f"{COMPILE}={mode}", "there is no such mode", f"use {_MODE}, or leave it unset")
    return mode == _MODE


def probe_text(deviation: float) -> str:
    """Format a deviation in steps of 1/255 for `EngineInfo.why`."""
    return f"deviates from FP32 by at most {deviation:.1f}/255 on a probe"


@contextmanager
def gpu_memory_errors() -> Iterator[None]:
    """Convert PyTorch's out-of-memory error into NotUsableError."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise NotUsableError("the GPU's memory is full", "close other programs that use it") from error


def record_network(
    net: nn.Module, size_wh: tuple[int, int], precision: str, device: str = "cuda", *, autotune: bool = False
) -> Runs:
    """Return a copy of the network in a precision ("fp16", "fp32"), channels last, with fixed buffers."""
    dtype = {"fp16": torch.float16, "fp32": torch.float32}[precision]
    memory_format = torch.channels_last
    converted = copy.deepcopy(net).to(  # type: ignore[call-overload]
        device=device, dtype=dtype, memory_format=memory_format
    )
    call = _compiled(converted.eval()) if autotune else converted.eval()
    return Runs(lambda count: StaticRun(call, count, size_wh, dtype=dtype, memory_format=memory_format, device=device))


def _compile_network(net: nn.Module, reference: InferFunction, style: Style, precision: str) -> tuple[Runs | None, str]:
    """Return the compiled network, or None if compiling fails or changes the output, and a note for `why`."""
    try:
        runs = record_network(net, style.input_wh, precision, autotune=True)
        max_deviation(runs, reference, style.input_wh)
    except Exception as error:  # a compiler raises exceptions of many types
        note = f"torch.compile ({_MODE}) cannot be used ({first_line(error)}): the network runs uncompiled"
        engine_cache.print_line(f"style {style.name}: {note}")
        return None, note
    return runs, f"compiled by torch.compile ({_MODE})"


def _compiled(net: nn.Module) -> Callable[[Tensor], Tensor]:
    """Compile at the first call, without the mode's own CUDA graph: ours includes the copies and the conversion."""
    # fullgraph: beyond its limit of graphs torch.compile would silently run uncompiled.
    compiled: Callable[[Tensor], Tensor] = torch.compile(
        net, mode=f"{_MODE}-no-cudagraphs", dynamic=False, fullgraph=True
    )

    def call(planes_rgb: Tensor) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch.compile warns about deprecated parts of itself
            return compiled(planes_rgb)

    return call


def eager_reference(net: nn.Module, device: str) -> InferFunction:
    """Return the network as a function in exact FP32 (no TF32) on a device."""
    io_adapter = IoAdapter(copy.deepcopy(net)).to(device).eval()

    def infer(regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            on_device = torch.from_numpy(np.ascontiguousarray(regions_bgr)).to(device)
            out: NDArray[np.float32] = io_adapter(on_device).cpu().numpy()
        return out, bool(np.isfinite(out).all())

    return infer


def fp16_step(net: nn.Module, reference: InferFunction, style: Style, device: CudaDevice) -> list[FallbackStep]:
    """Return the fallback from TensorRT to PyTorch FP16; empty if it is unavailable or failed calibration."""
    if verdict(engine_key(style, "fp16", device)).startswith("failed"):
        return []
    try:
        runs = record_network(net, style.input_wh, "fp16")
        max_deviation(runs, reference, style.input_wh)
    except (NotUsableError, RuntimeError):  # inaccurate, or the GPU's memory is full
        return []
    return [FallbackStep(runs, "torch", "fp16", device.name)]


def max_deviation(fast: InferFunction, reference: InferFunction, size_wh: tuple[int, int]) -> float:
    """Return the largest deviation from the reference on a probe in steps of 1/255, for one region and for several.

    Raises NotUsableError if it is not within the tolerance.
    """
    one_bgr = probe_bgr(size_wh)
    largest = 0.0
    for regions_bgr in (one_bgr, np.ascontiguousarray(np.repeat(one_bgr, 3, axis=0)[:, ::-1])):
        answer, expected = fast(regions_bgr)[0], reference(regions_bgr)[0]
        deviation = float(np.abs(answer - expected).max())
        if not within_tolerance(answer, expected):
            raise NotUsableError(f"it deviates from FP32 by {deviation:.1f}/255 on a probe")
        largest = max(largest, deviation)
    return largest


def engine_key(style: Style, precision: str, device: CudaDevice, *, autotune: bool = False) -> str:
    """Return the key under which calibration's verdict on this engine is stored."""
    mode = {"compile": _MODE} if autotune else {}
    return engine_cache.cache_key(
        **style_parts(style), **device_parts(device), runtime="torch", precision=precision, **mode
    )


def style_parts(style: Style) -> dict[str, Any]:
    """Return everything in a style that changes an engine's bytes, for `cache_key`."""
    return {
        "weights": style.weights_digest(),
        "source": style.source_digest(),
        "generator": [style.generator, style.arguments],
        "size_wh": list(style.size_wh),
    }


def device_parts(device: CudaDevice) -> dict[str, Any]:
    """Return everything in a GPU and its libraries that changes an engine's bytes or output, for `cache_key`."""
    return {
        "device": device.name,
        "capability": list(device.capability),
        "driver": [device.driver, *device.cuda],
        "torch": metadata.version("torch"),
        "cuda": torch.version.cuda,
    }
