"""PyTorch on an NVIDIA GPU: half precision, channels last, recorded as a CUDA graph."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable
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

COMPILE = "VENEER_TORCH_COMPILE"  # in the environment: "max-autotune", or nothing
_MODE = "max-autotune"


class TorchCudaEngine(FallbackEngine):
    """See `Engine`. Before it is used, its answer to a probe is held against FP32 on the same GPU.

    Where half precision gives NaN while frames come in, FP32 on the GPU goes on; so it does where a recording in FP32
    fails. What goes on after that runs on the CPU: see `safer_engine`.

    Args:
        style: what to run.
        precision: "fp16" or "fp32".
        autotune: whether torch.compile chooses the kernels in its mode "max-autotune", which takes a minute or more at
            each start; None for what `COMPILE` in the environment says, and usually not. Where compiling fails, the
            network runs as it is.
        say: told what happens, a line at a time.

    Raises:
        NotUsableError: there is no such GPU, its memory is full, or the precision does not hold for this style.
        EngineError: the weights are not usable.
        OptionsError: the environment asks for another mode.
    """

    def __init__(
        self,
        style: Style,
        *,
        precision: str = "fp16",
        autotune: bool | None = None,
        say: Callable[[str], None] = engine_cache.print_line,
    ) -> None:
        autotune = wants_autotune() if autotune is None else autotune
        device = torch_device()
        net = style.load_generator()
        with gpu_memory_errors():
            full = eager_reference(net, "cuda")
            tuned, note = _tuned_or_not(net, full, style, precision, say) if autotune else (None, "")
            runs = tuned or record_network(net, style.size_wh, precision)
            off = max_deviation(runs, full, style.size_wh)
        why = f"at most {off:.1f}/255 off FP32 on a probe" if precision == "fp16" else "FP32, as the reference"
        key = engine_key(style, precision, device, autotune=tuned is not None)
        why = "; ".join(filter(None, (why, note)))
        info = EngineInfo(style.name, "torch", precision, device.name, why, key)
        first = FallbackStep(runs, "torch", precision, device.name)
        last = fp32_step(full, device, for_numbers=precision == "fp16")
        super().__init__(info, [first, last], size_wh=style.size_wh, say=say)


def wants_autotune() -> bool:
    """What the environment says of torch.compile.

    Raises:
        OptionsError: nothing that is known.
    """
    asked = os.environ.get(COMPILE, "")
    if asked not in ("", _MODE):
        raise OptionsError(f"{COMPILE}={asked}", "there is no such mode", f"use {_MODE}, or leave it unset")
    return asked == _MODE


def _tuned_or_not(
    net: nn.Module, full: InferFunction, style: Style, precision: str, say: Callable[[str], None]
) -> tuple[Runs | None, str]:
    """The compiled network, or None where that fails or paints something else; and what there is to say of it."""
    try:
        runs = record_network(net, style.size_wh, precision, autotune=True)
        max_deviation(runs, full, style.size_wh)
    except Exception as error:  # a compiler that meets what it does not know fails in many ways
        line = f"torch.compile ({_MODE}) cannot be used ({first_line(error)}): the network runs as it is"
        say(f"style {style.name}: {line}")
        return None, line
    return runs, f"compiled by torch.compile ({_MODE})"


class gpu_memory_errors:  # noqa: N801 - a context manager
    """Inside it, a GPU without room is a runtime that cannot be used."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, torch.OutOfMemoryError):
            raise NotUsableError("the GPU's memory is full", "close other programs that use it") from error


def record_network(
    net: nn.Module, size_wh: tuple[int, int], precision: str, device: str = "cuda", *, autotune: bool = False
) -> Runs:
    """The network in a precision ("fp16", "fp32"), channels last, with fixed buffers; see `TorchCudaEngine`."""
    dtype = {"fp16": torch.float16, "fp32": torch.float32}[precision]
    form = torch.channels_last
    made = copy.deepcopy(net).to(device=device, dtype=dtype, memory_format=form).eval()  # type: ignore[call-overload]
    call = _compiled(made) if autotune else made
    return Runs(lambda count: StaticRun(call, count, size_wh, dtype=dtype, memory_format=form, device=device))


def _compiled(net: nn.Module) -> Callable[[Tensor], Tensor]:
    """With the kernels of "max-autotune", but for its own recording: ours holds the door and the copies as well."""
    compiled: Callable[[Tensor], Tensor] | None = None

    def call(planes_rgb: Tensor) -> Tensor:  # on a GPU: for the recording alone
        nonlocal compiled
        with warnings.catch_warnings():  # it warns of its own ageing parts: nothing for a user
            warnings.simplefilter("ignore")
            if compiled is None:  # it has no truth value
                # All of it or nothing: past its limit of graphs it would go on without a compiler, and say nothing.
                compiled = torch.compile(net, mode=f"{_MODE}-no-cudagraphs", dynamic=False, fullgraph=True)
            return compiled(planes_rgb)

    return call


def eager_reference(net: nn.Module, device: str) -> InferFunction:
    """The reference as it stands, on a device, in true FP32: no TF32 inside."""
    io_adapter = IoAdapter(copy.deepcopy(net)).to(device).eval()

    def way(regions_bgr: Regions) -> tuple[NDArray[np.float32], bool]:
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            given = torch.from_numpy(np.ascontiguousarray(regions_bgr)).to(device)
            out: NDArray[np.float32] = io_adapter(given).cpu().numpy()
        return out, bool(np.isfinite(out).all())

    return way


def fp32_step(full: InferFunction, device: CudaDevice, *, for_numbers: bool) -> FallbackStep:
    """FP32 on the GPU, without a recording; see `FallbackStep`."""
    return FallbackStep(full, "torch", "fp32", device.name, for_numbers=for_numbers)


def fp16_step(net: nn.Module, full: InferFunction, style: Style, device: CudaDevice) -> list[FallbackStep]:
    """PyTorch FP16, ready for when TensorRT fails; nothing where it cannot be had or calibration refused it."""
    if verdict(engine_key(style, "fp16", device)).startswith("failed"):
        return []
    try:
        runs = record_network(net, style.size_wh, "fp16")
        max_deviation(runs, full, style.size_wh)
    except (NotUsableError, RuntimeError):  # its memory may be full
        return []
    return [FallbackStep(runs, "torch", "fp16", device.name)]


def max_deviation(fast: InferFunction, full: InferFunction, size_wh: tuple[int, int]) -> float:
    """How far off the reference a fast way is at most on a probe, of 255, for one face and for several.

    Raises:
        NotUsableError: farther than what holds for a picture.
    """
    one_bgr = probe_bgr(size_wh)
    most = 0.0
    for regions_bgr in (one_bgr, np.ascontiguousarray(np.repeat(one_bgr, 3, axis=0)[:, ::-1])):
        answer, reference = fast(regions_bgr)[0], full(regions_bgr)[0]
        if not within_tolerance(answer, reference):
            raise NotUsableError(f"on a probe it is {np.abs(answer - reference).max():.1f} of 255 off FP32")
        most = max(most, float(np.abs(answer - reference).max()))
    return most


def engine_key(style: Style, precision: str, device: CudaDevice, *, autotune: bool = False) -> str:
    """The name under which calibration's verdict on this engine lies."""
    way = {"runtime": "torch", "precision": precision, **({"compile": _MODE} if autotune else {})}
    return engine_cache.cache_key(**style_parts(style), **device_parts(device), **way)


def style_parts(style: Style) -> dict[str, Any]:
    """What of a style changes an engine's bytes."""
    return {
        "weights": style.weights_digest(),
        "source": style.source_digest(),
        "generator": [style.generator, style.arguments],
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
