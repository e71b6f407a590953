"""The runtimes of `benchmarks.peers`."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.engine_matrix.engine_runtimes import (
    Backend,
    Opened,
    compile_openvino,
    cpu_backends,
    cuda_backends,
    has_bf16,
)
from engines.cache import engine_cache
from engines.cache.cache_entry import verdict
from engines.errors import VeneerError
from engines.runtime.base import NotUsableError
from engines.runtime.openvino.converted_graph import GRAPH, openvino_core
from engines.runtime.openvino.int8_graph import int8_key
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
OwnStyle = tuple[str, tuple[int, int]]  # name of a shipped style, and its size


def peer_backends(net: nn.Module, size_wh: tuple[int, int], threads: int, own: OwnStyle | None) -> dict[str, Backend]:
    """Return one network's backends for one region, by the names in `RUNTIMES`.

    On the CPU the conversion between bytes and floats is part of the timed call, as in the program; on a GPU input and
    output are in GPU memory. `own` is the style, for a network of this project.
    """
    cpu = {backend.name: backend for backend in cpu_backends(net, threads)}
    gpu = {backend.name: Backend(backend.name, partial(_on_gpu, backend)) for backend in cuda_backends(net, 1, size_wh)}
    return {
        "torch-fp32": cpu["eager fp32"],
        "openvino-fp32": cpu["openvino fp32"],
        "openvino-bf16": cpu["openvino bf16"],
        "openvino-int8": Backend("openvino int8", lambda bgr: _int8(own, bgr, threads)),
        "cuda-fp32": gpu["eager fp32"],
        "cuda-fp16-graph": gpu["graph fp16 nhwc"],
        "tensorrt-fp16": gpu["tensorrt fp16"],
    }


def error_text(error: Exception) -> str:
    """Return the cause in one line; OpenVINO lists unsupported operations after its own location."""
    if isinstance(error, (NotUsableError, VeneerError)):
        return str(error)
    listed = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
    return f"{type(error).__name__}: {'; '.join(listed)[:160] or first_line(error)}"


def _on_gpu(backend: Backend, region_bgr: NDArray[np.uint8]) -> Opened:
    torch_device()
    run, output = backend.open(region_bgr)

    def run_and_wait() -> None:
        run()
        torch.cuda.synchronize()

    return run_and_wait, output


def _int8(own: OwnStyle | None, region_bgr: NDArray[np.uint8], threads: int) -> Opened:
    if own is None:
        raise NotUsableError("INT8 engines are built for this project's styles only")
    graph = _int8_graph(_shipped_style(*own))
    graph.reshape(list(region_bgr.shape))
    return compile_openvino(graph, region_bgr, "bf16" if has_bf16() else "f32", threads)  # as in live use


def _shipped_style(name: str, size_wh: tuple[int, int]) -> Style:
    """Load a shipped style. Raises NotUsableError if the user has one of the same name."""
    style = load_style(name)
    if style.weights.parent != SHIPPED:
        raise NotUsableError(f"your own style {name} replaces the shipped one")
    return replace(style, size_wh=size_wh)


def _int8_graph(style: Style) -> Any:
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
