"""The backends that `benchmarks.engines` compares for one generator."""

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

Output = NDArray[np.float32]
Opened = tuple[Callable[[], object], Callable[[], Output]]


class UnavailableError(NotUsableError):
    """This machine lacks what the backend needs; the message is one line."""


@dataclass(frozen=True)
class Backend:
    """A runtime in one precision.

    `open` turns (N, H, W, 3) BGR uint8 regions into a function to time and a function that returns the output, (N, H,
    W, 3) BGR float32 in levels of 255. It raises UnavailableError, or any error of its libraries.
    """

    name: str
    open: Callable[[NDArray[np.uint8]], Opened]


def backends(net: nn.Module, count: int, size_wh: tuple[int, int], device: str, threads: int) -> list[Backend]:
    """Return the backends of a device, "cuda" or "cpu", the reference first."""
    return cuda_backends(net, count, size_wh) if device == "cuda" else cpu_backends(net, threads)


def cuda_backends(net: nn.Module, count: int, size_wh: tuple[int, int]) -> list[Backend]:
    """Return the backends on a CUDA GPU, the reference first.

    Backends with I/O convert and copy between bytes in host memory and the GPU; the others work in GPU memory.
    """
    half, full, last = torch.float16, torch.float32, torch.channels_last
    return [
        Backend("eager fp32", lambda bgr: _eager(_on_gpu(net, full), bgr, full, torch.contiguous_format)),
        Backend("eager fp16 nhwc", lambda bgr: _eager(_on_gpu(net, half), bgr, half, last)),
        Backend("graph fp16 nhwc", lambda bgr: _graph(_on_gpu(net, half), bgr, half, last)),
        Backend("graph fp16 nhwc, with I/O", lambda bgr: _with_io(_on_gpu(net, half), bgr, half, last)),
        Backend("compile max-autotune fp16", lambda bgr: _eager(_compile(_on_gpu(net, half)), bgr, half, last)),
        Backend("tensorrt fp16", lambda bgr: _graph(_plan(net, count, size_wh), bgr, half, torch.contiguous_format)),
        Backend("tensorrt fp16, with I/O", lambda bgr: _with_io(_plan(net, count, size_wh), bgr, half)),
    ]


def cpu_backends(net: nn.Module, threads: int) -> list[Backend]:
    """Return the backends on the CPU, from bytes to floats, the reference first; `threads` is that of OpenVINO."""
    return [
        Backend("eager fp32", lambda bgr: _reference(net, bgr)),
        Backend("openvino fp32", lambda bgr: _openvino(net, bgr, "f32", threads)),
        Backend("openvino bf16", lambda bgr: _openvino(net, bgr, "bf16", threads)),
    ]


def _openvino(net: nn.Module, bgr: NDArray[np.uint8], hint: str, threads: int) -> Opened:
    try:
        from engines.runtime.openvino.converted_graph import load_openvino, openvino_core

        openvino, core = load_openvino(), openvino_core()
    except ImportError as error:
        raise UnavailableError(first_line(error)) from error
    if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise UnavailableError("this processor has no BF16")
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside PyTorch and OpenVINO
        model = openvino.convert_model(torch.export.export(IoAdapter(net).eval(), (torch.from_numpy(bgr),)))
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": str(threads)}
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    request.set_input_tensor(0, openvino.Tensor(bgr, shared_memory=True))

    def output() -> Output:
        request.infer()
        return np.array(request.get_output_tensor(0).data, np.float32)

    return request.infer, output


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
        result = net(planes)

    def output() -> Output:
        graph.replay()
        return planes_to_bgr(result).cpu().numpy()

    return graph.replay, output


def _with_io(net: Callable[[Tensor], Tensor], bgr: NDArray[np.uint8], dtype: Any, form: Any = None) -> Opened:
    count, height, width, _ = bgr.shape
    form = form or torch.contiguous_format
    static = StaticRun(net, count, (width, height), dtype=dtype, memory_format=form)
    return lambda: static.run(bgr), lambda: static.run(bgr)[0].copy()


def _compile(net: nn.Module) -> Callable[[Tensor], Tensor]:
    if importlib.util.find_spec("triton") is None:
        raise UnavailableError("Triton, which torch.compile needs on a GPU, is not installed")
    # Otherwise a second size would compile a slower dynamic graph, and after several more sizes PyTorch would silently
    # fall back to eager mode.
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
        raise UnavailableError(str(error)) from error
    return LoadedPlan(importlib.import_module(module), build_plan(net, count, size_wh).plan)


def _reference(net: nn.Module, bgr: NDArray[np.uint8]) -> Opened:
    io_adapter, given = IoAdapter(net).eval(), torch.from_numpy(bgr)

    def run() -> Tensor:
        with torch.inference_mode():
            return io_adapter(given)  # type: ignore[no-any-return]

    return run, lambda: run().numpy()
