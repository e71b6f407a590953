"""The runtimes of `benchmarks.peers`, and why one may be missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.engine_matrix.engine_runtimes import (
    Opened,
    compile_openvino,
    convert_to_openvino,
    cpu_backends,
    cuda_backends,
)
from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import VeneerError
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.converted_graph import GRAPH, openvino_core
from engines.runtime.openvino.int8_graph import INSTALL, int8_key, nncf_installed
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.torch.cuda_device import torch_device
from engines.styles import SHIPPED, Style, load_style
from engines.text import first_line

RUNTIMES = {  # runtime: eager PyTorch on the same device
    "torch-fp32": "torch-fp32",
    "openvino-fp32": "torch-fp32",
    "openvino-bf16": "torch-fp32",
    "openvino-int8": "torch-fp32",
    "cuda-fp32": "cuda-fp32",
    "cuda-fp16-graph": "cuda-fp32",
    "tensorrt-fp16": "cuda-fp32",
}
_CUDA = {  # names of `benchmarks.engines`
    "cuda-fp32": "eager fp32",
    "cuda-fp16-graph": "graph fp16 nhwc",
    "tensorrt-fp16": "tensorrt fp16",
}
_OURS_ONLY = "INT8 engines are built for this project's styles only"
_NO_NNCF = "the INT8 engine is not built, and NNCF, which builds it, is not installed"
OwnStyle = tuple[str, tuple[int, int]]  # name of a shipped style, and its size


def missing(runtime: str, own: Sequence[OwnStyle]) -> str:
    """Return why a runtime is not available on this machine; empty if it is. INT8 needs a measured style of ours."""
    try:
        if runtime in _CUDA:
            torch_device()
            if runtime == "tensorrt-fp16":
                installed_distribution()
        elif runtime.startswith("openvino"):
            openvino_core()
            if runtime == "openvino-bf16" and not _has_bf16():
                return "this processor has no BF16"
            if runtime == "openvino-int8":
                return _int8_missing(own)
    except NotUsableError as error:
        return str(error)
    except (ImportError, OSError, RuntimeError) as error:
        return f"OpenVINO cannot be used: {first_line(error)}"
    return ""


def _has_bf16() -> bool:
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _int8_missing(own: Sequence[OwnStyle]) -> str:
    if not own:
        return _OURS_ONLY
    styles = [_shipped_style(*one) for one in own]
    if nncf_installed() or any(engine_cache.find(int8_key(style)) is not None for style in styles):
        return ""
    return f"{_NO_NNCF} ({INSTALL})"


def error_text(error: Exception) -> str:
    """Return the cause in one line; OpenVINO lists unsupported operations after its own location."""
    if isinstance(error, (NotUsableError, VeneerError)):
        return str(error)
    listed = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
    return f"{type(error).__name__}: {'; '.join(listed)[:160] or first_line(error)}"


class PeerEngines:
    """One network on one (1, H, W, 3) BGR uint8 region, in any runtime.

    On the CPU the conversion between bytes and floats is part of the timed call, as in the program; on a GPU input and
    output are in GPU memory. `own` is the style, for a network of this project.
    """

    def __init__(
        self, net: nn.Module, region_bgr: NDArray[np.uint8], threads: int, own: OwnStyle | None = None
    ) -> None:
        self._net, self._region_bgr, self._threads, self._own = net, region_bgr, threads, own

    def open(self, runtime: str) -> Opened:
        """Return a function to time, and one for the output, (1, H, W, 3) BGR float32. Raises any error."""
        if runtime in _CUDA:
            size_wh = self._region_bgr.shape[2], self._region_bgr.shape[1]
            backend = next(one for one in cuda_backends(self._net, 1, size_wh) if one.name == _CUDA[runtime])
            run, output = backend.open(self._region_bgr)
            return _synchronized(run), output
        if runtime == "openvino-int8":
            return self._compile(self._int8_graph(), "bf16" if _has_bf16() else "f32")  # as in live use
        if runtime.startswith("openvino"):
            return self._compile(self._graph, {"openvino-fp32": "f32", "openvino-bf16": "bf16"}[runtime])
        return cpu_backends(self._net)[0].open(self._region_bgr)

    def _compile(self, graph: Any, hint: str) -> Opened:
        settings = {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": str(self._threads)}
        return compile_openvino(graph, self._region_bgr, settings)

    @cached_property
    def _graph(self) -> Any:
        return convert_to_openvino(self._net, self._region_bgr)

    def _int8_graph(self) -> Any:
        if self._own is None:
            raise NotUsableError(_OURS_ONLY)
        graph = load_int8_graph(_shipped_style(*self._own))
        graph.reshape(list(self._region_bgr.shape))
        return graph


def _synchronized(run: Callable[[], object]) -> Callable[[], object]:
    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize()

    return run_and_wait


def _shipped_style(name: str, size_wh: tuple[int, int]) -> Style:
    """Load a shipped style. Raises NotUsableError if the user has one of the same name."""
    style = load_style(name)
    if style.weights.parent != SHIPPED:
        raise NotUsableError(f"your own style {name} replaces the shipped one")
    return replace(style, size_wh=size_wh)


def load_int8_graph(style: Style) -> Any:
    """Load the INT8 graph of a style, from (N, H, W, 3) uint8 to floats; it is built and cached if necessary.

    Raises NotUsableError if it cannot be built here, or failed calibration and is not used by the program.
    """
    from calibration.engine_checks.quantize import build_int8
    from calibration.engine_checks.verdicts import load_reference
    from calibration.sets.set_builder import built_in

    key = int8_key(style)
    entry = engine_cache.find(key)
    if entry is None or verdict(key) == "uncalibrated":
        print(f"{style.name}: building the INT8 engine", file=sys.stderr, flush=True)
        say = partial(print, file=sys.stderr, flush=True)
        built_in(say=say)
        build_int8(style, load_reference(style), say=say)
        key = int8_key(style)  # it includes the calibration set, which may be new
        entry = engine_cache.find(key)
    found = verdict(key)
    if entry is None or found != "passed":
        raise NotUsableError(f"calibration {found}, so the program does not use it")
    return openvino_core().read_model(entry / GRAPH)
