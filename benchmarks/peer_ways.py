"""The runtimes that `benchmarks.peers` runs every network in, and why one of them may be missing here."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from benchmarks.engine_ways import cpu_ways, cuda_ways
from engines.runtime.base import NotUsableError, first_line
from engines.runtime.cuda_device import torch_device
from engines.runtime.door import Door
from engines.runtime.openvino_graph import load_openvino, openvino_core

Opened = tuple[Callable[[], object], Callable[[], NDArray[np.float32]]]

RUNTIMES = {  # name: the eager PyTorch on the same device, which it is held against
    "torch-fp32": "torch-fp32",
    "openvino-fp32": "torch-fp32",
    "openvino-bf16": "torch-fp32",
    "cuda-fp32": "cuda-fp32",
    "cuda-fp16-graph": "cuda-fp32",
}
_CUDA = {"cuda-fp32": "eager fp32", "cuda-fp16-graph": "graph fp16 nhwc"}  # as `benchmarks.engines` names them


def missing(runtime: str) -> str:
    """Why a runtime cannot be used on this machine; empty where it can."""
    try:
        if runtime in _CUDA:
            torch_device()
        elif runtime.startswith("openvino"):
            can = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            if runtime == "openvino-bf16" and "BF16" not in can:
                return "this processor has no BF16"
    except NotUsableError as error:
        return error.reason
    except (ImportError, OSError, RuntimeError) as error:
        return f"OpenVINO cannot be used: {first_line(error)}"
    return ""


def reason(error: Exception) -> str:
    """What a library says went wrong, in one line: OpenVINO names the operation after a page on its own check."""
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
    """

    def __init__(self, net: nn.Module, region_bgr: NDArray[np.uint8], threads: int) -> None:
        self._net, self._region_bgr, self._threads = net, region_bgr, threads

    def open(self, runtime: str) -> Opened:
        """What is timed, and what it answers: (1, H, W, 3) float32 BGR of 255.

        Raises:
            Exception: whatever the library raises that cannot run the network.
        """
        if runtime in _CUDA:
            size_wh = self._region_bgr.shape[2], self._region_bgr.shape[1]
            ways = {way.name: way for way in cuda_ways(self._net, 1, size_wh)}
            return _waited_for(*ways[_CUDA[runtime]].open(self._region_bgr))
        if runtime.startswith("openvino"):
            return self._openvino({"openvino-fp32": "f32", "openvino-bf16": "bf16"}[runtime])
        return cpu_ways(self._net, 1, (0, 0))[0].open(self._region_bgr)

    def _openvino(self, hint: str) -> Opened:
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
        settings |= {"INFERENCE_NUM_THREADS": str(self._threads)}
        request = openvino_core().compile_model(self._graph, "CPU", settings).create_infer_request()
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
            program = torch.export.export(Door(self._net).eval(), (torch.from_numpy(self._region_bgr),))
            return load_openvino().convert_model(program)


def _waited_for(run: Callable[[], object], answer: Callable[[], NDArray[np.float32]]) -> Opened:
    """A call on a GPU is over when the GPU is done, not when it was asked."""

    def waited() -> None:
        run()
        torch.cuda.synchronize()

    return waited, answer
