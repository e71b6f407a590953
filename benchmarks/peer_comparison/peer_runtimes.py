"""The runtimes that `benchmarks.peers` runs every network in, and why one of them may be missing here."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.engine_matrix.engine_runtimes import cpu_ways, cuda_ways
from benchmarks.peer_comparison.peer_int8 import int8_graph, shipped_style, why_not
from engines.errors import VeneerError
from engines.runtime.base import NotUsableError
from engines.runtime.io_adapter import IoAdapter
from engines.runtime.openvino.converted_graph import load_openvino, openvino_core
from engines.runtime.tensorrt.distribution import installed_distribution
from engines.runtime.torch.cuda_device import torch_device
from engines.text import first_line

Opened = tuple[Callable[[], object], Callable[[], NDArray[np.float32]]]

RUNTIMES = {  # name: the eager PyTorch on the same device, which it is held against
    "torch-fp32": "torch-fp32",
    "openvino-fp32": "torch-fp32",
    "openvino-bf16": "torch-fp32",
    "openvino-int8": "torch-fp32",
    "cuda-fp32": "cuda-fp32",
    "cuda-fp16-graph": "cuda-fp32",
    "tensorrt-fp16": "cuda-fp32",
}
_CUDA = {  # as `benchmarks.engines` names them
    "cuda-fp32": "eager fp32",
    "cuda-fp16-graph": "graph fp16 nhwc",
    "tensorrt-fp16": "tensorrt fp16",
}
_OURS_ALONE = "INT8 is made of the program's own styles alone"
Own = tuple[str, tuple[int, int]]  # a style of the program, and its size


def missing(runtime: str, own: Sequence[Own]) -> str:
    """Why a runtime cannot be used on this machine; empty where it can.

    Args:
        own: the styles that are to be measured, for INT8.
    """
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
                return why_not([shipped_style(*one) for one in own]) if own else _OURS_ALONE
    except NotUsableError as error:
        return str(error)
    except (ImportError, OSError, RuntimeError) as error:
        return f"OpenVINO cannot be used: {first_line(error)}"
    return ""


def _has_bf16() -> bool:
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def reason(error: Exception) -> str:
    """What went wrong, in one line: OpenVINO names the operation after a page on its own check."""
    if isinstance(error, (NotUsableError, VeneerError)):
        return str(error)
    listed = [line.removeprefix("-- ") for line in str(error).splitlines() if line.startswith("-- ")]
    return f"{type(error).__name__}: {'; '.join(listed)[:160] or first_line(error)}"


class Ways:
    """One network on one region, in whatever runtime.

    On the CPU the door is part of what is timed (bytes in, floats out), as in the program; on a GPU the region lies
    in its memory already, and so does the answer.

    Args:
        net: in FP32 on the CPU, for evaluation.
        region_bgr: (1, H, W, 3) uint8.
        threads: for OpenVINO; PyTorch's are the process's.
        own: the style that it is, where it is one of the program's.
    """

    def __init__(self, net: nn.Module, region_bgr: NDArray[np.uint8], threads: int, own: Own | None = None) -> None:
        self._net, self._region_bgr, self._threads, self._own = net, region_bgr, threads, own

    def open(self, runtime: str) -> Opened:
        """What is timed, and what it answers: (1, H, W, 3) float32 BGR of 255.

        Raises:
            Exception: whatever the library raises that cannot run the network.
        """
        if runtime in _CUDA:
            size_wh = self._region_bgr.shape[2], self._region_bgr.shape[1]
            ways = {way.name: way for way in cuda_ways(self._net, 1, size_wh)}
            return _waited_for(*ways[_CUDA[runtime]].open(self._region_bgr))
        if runtime == "openvino-int8":
            return self._openvino(self._int8(), "bf16" if _has_bf16() else "f32")  # as live runs it
        if runtime.startswith("openvino"):
            return self._openvino(self._graph, {"openvino-fp32": "f32", "openvino-bf16": "bf16"}[runtime])
        return cpu_ways(self._net, 1, (0, 0))[0].open(self._region_bgr)

    def _int8(self) -> Any:
        if self._own is None:
            raise NotUsableError(_OURS_ALONE)
        graph = int8_graph(shipped_style(*self._own))
        graph.reshape(list(self._region_bgr.shape))
        return graph

    def _openvino(self, graph: Any, hint: str) -> Opened:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
        settings |= {"INFERENCE_NUM_THREADS": str(self._threads)}
        request = openvino_core().compile_model(graph, "CPU", settings).create_infer_request()
        request.set_input_tensor(0, load_openvino().Tensor(self._region_bgr, shared_memory=True))

        def answer() -> NDArray[np.float32]:
            request.infer()
            return np.array(request.get_output_tensor(0).data, np.float32)

        return request.infer, answer

    @cached_property
    def _graph(self) -> Any:
        """The network in OpenVINO's own form: converted once for both precisions."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch and OpenVINO warn of each other's ageing parts
            program = torch.export.export(IoAdapter(self._net).eval(), (torch.from_numpy(self._region_bgr),))
            return load_openvino().convert_model(program)


def _waited_for(run: Callable[[], object], answer: Callable[[], NDArray[np.float32]]) -> Opened:
    """A call on a GPU is over when the GPU is done, not when it was asked."""

    def waited() -> None:
        run()
        torch.cuda.synchronize()

    return waited, answer
