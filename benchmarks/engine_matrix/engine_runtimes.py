"""The ways to run one generator that `benchmarks.engines` compares."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from engines.runtime.base import NotUsableError
from engines.runtime.io_adapter import IoAdapter
from engines.runtime.torch.cuda_graph import StaticRun, bgr_to_planes, planes_to_bgr
from engines.text import first_line

__all__ = ["AbsentError", "Way", "cpu_ways", "cuda_ways", "first_line"]

Answer = NDArray[np.float32]
Opened = tuple[Callable[[], object], Callable[[], Answer]]


class AbsentError(Exception):
    """This machine lacks what the way needs; says what, in one line."""


@dataclass(frozen=True)
class Way:
    """A way to run a generator.

    Attributes:
        name: in the table.
        open: from (N, H, W, 3) uint8 BGR regions: what is timed, and what it answers, (N, H, W, 3) BGR of 255. Raises
            AbsentError, or whatever its libraries raise that cannot run the network.
    """

    name: str
    open: Callable[[NDArray[np.uint8]], Opened]


def cuda_ways(net: nn.Module, count: int, size_wh: tuple[int, int]) -> list[Way]:
    """On a CUDA GPU; the first is the reference. All but the last of each kind begin and end in GPU memory."""
    half, full, last = torch.float16, torch.float32, torch.channels_last
    return [
        Way("eager fp32", lambda bgr: _eager(_on_gpu(net, full), bgr, full, torch.contiguous_format)),
        Way("eager fp16 nhwc", lambda bgr: _eager(_on_gpu(net, half), bgr, half, last)),
        Way("graph fp16 nhwc", lambda bgr: _graph(_on_gpu(net, half), bgr, half, last)),
        Way("graph fp16 nhwc, with door", lambda bgr: _io_adapter(_on_gpu(net, half), bgr, half, last)),
        Way("compile max-autotune fp16", lambda bgr: _eager(_compiled(_on_gpu(net, half)), bgr, half, last)),
        Way("tensorrt fp16", lambda bgr: _graph(_plan(net, count, size_wh), bgr, half, torch.contiguous_format)),
        Way("tensorrt fp16, with door", lambda bgr: _io_adapter(_plan(net, count, size_wh), bgr, half)),
    ]


def cpu_ways(net: nn.Module, count: int, size_wh: tuple[int, int]) -> list[Way]:
    """On the CPU, with the door: bytes in, floats out; the first is the reference."""
    return [
        Way("eager fp32", lambda bgr: _reference(net, bgr)),
        Way("openvino fp32", lambda bgr: _openvino(net, bgr, "f32")),
        Way("openvino bf16", lambda bgr: _openvino(net, bgr, "bf16")),
    ]


def _on_gpu(net: nn.Module, dtype: torch.dtype) -> nn.Module:
    form = torch.channels_last if dtype == torch.float16 else torch.contiguous_format
    return copy.deepcopy(net).to("cuda", dtype, memory_format=form).eval()  # type: ignore[call-overload,no-any-return]


def _planes(bgr: NDArray[np.uint8], dtype: torch.dtype, form: torch.memory_format) -> Tensor:
    return bgr_to_planes(torch.from_numpy(bgr).to("cuda"), dtype, form)


def _eager(net: Callable[[Tensor], Tensor], bgr: NDArray[np.uint8], dtype: Any, form: Any) -> Opened:
    planes = _planes(bgr, dtype, form)

    def run() -> Tensor:
        with torch.inference_mode():
            return net(planes)

    return run, lambda: planes_to_bgr(run()).cpu().numpy()


def _graph(net: Callable[[Tensor], Tensor], bgr: NDArray[np.uint8], dtype: Any, form: Any) -> Opened:
    planes = _planes(bgr, dtype, form)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    with torch.inference_mode(), torch.cuda.stream(stream):
        for _ in range(3):
            net(planes)
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph, stream=stream):
        made = net(planes)

    def answer() -> Answer:
        graph.replay()
        return planes_to_bgr(made).cpu().numpy()

    return graph.replay, answer


def _io_adapter(net: Callable[[Tensor], Tensor], bgr: NDArray[np.uint8], dtype: Any, form: Any = None) -> Opened:
    count, height, width, _ = bgr.shape
    form = form or torch.contiguous_format
    made = StaticRun(net, count, (width, height), dtype=dtype, memory_format=form)
    return lambda: made.run(bgr), lambda: made.run(bgr)[0].copy()


def _compiled(net: nn.Module) -> Callable[[Tensor], Tensor]:
    if importlib.util.find_spec("triton") is None:
        raise AbsentError("Triton is not installed, which torch.compile wants on a GPU")
    # What was compiled of this generator before counts: at the second size it would compile for any size, which is
    # slower, and after some more run it eagerly without a word.
    torch.compiler.reset()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.compile(net, mode="max-autotune", dynamic=False)


def _plan(net: nn.Module, count: int, size_wh: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    from engines.runtime.tensorrt.distribution import installed_distribution
    from engines.runtime.tensorrt.loaded_plan import LoadedPlan
    from engines.runtime.tensorrt.plan_builder import build_plan

    try:
        module = installed_distribution().module
    except NotUsableError as error:
        raise AbsentError(str(error)) from error
    return LoadedPlan(importlib.import_module(module), build_plan(net, count, size_wh).plan)


def _reference(net: nn.Module, bgr: NDArray[np.uint8]) -> Opened:
    io_adapter, given = IoAdapter(net).eval(), torch.from_numpy(bgr)

    def run() -> Tensor:
        with torch.inference_mode():
            return io_adapter(given)  # type: ignore[no-any-return]

    return run, lambda: run().numpy()


def _openvino(net: nn.Module, bgr: NDArray[np.uint8], hint: str) -> Opened:
    try:
        from engines.runtime.openvino.converted_graph import load_openvino, openvino_core

        openvino, core = load_openvino(), openvino_core()
    except ImportError as error:
        raise AbsentError(first_line(error)) from error
    if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise AbsentError("this processor has no BF16")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(IoAdapter(net).eval(), (torch.from_numpy(bgr),))
        model = openvino.convert_model(program)
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(0, openvino.Tensor(bgr, shared_memory=True))

    def answer() -> Answer:
        request.infer()
        return np.array(request.get_output_tensor(0).data, np.float32)

    return request.infer, answer
