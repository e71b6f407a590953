"""Build a TensorRT plan of a network in FP16: torch-tensorrt lowers and converts it, TensorRT builds it.

The steps are those of `torch_tensorrt.dynamo.convert_exported_program_to_serialized_trt_engine` (2.13) except the last:
that function also loads the plan, which requires a GPU, while TensorRT-RTX builds plans without one. Networks are
strongly typed in both distributions: the precision is that of the module and its inputs.
"""

from __future__ import annotations

import copy
import time
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from engines.runtime.base import NotUsableError
from engines.text import first_line


@dataclass(frozen=True, slots=True)
class Plan:
    """A built engine.

    Attributes:
        build_s: Time for lowering, conversion and building in seconds.
        layers: Number of layers before TensorRT fuses them.
        fp32_layers: Names of the layers with an FP32 output.
    """

    plan: bytes
    build_s: float
    layers: int
    fp32_layers: tuple[str, ...]


def build_plan(net: nn.Module, count: int, size_wh: tuple[int, int]) -> Plan:
    """Build the plan for `count` regions. Requires torch_tensorrt, and a GPU unless TensorRT-RTX is installed.

    Raises NotUsableError if TensorRT cannot run the whole network as one engine; RuntimeError if building failed.

    Args:
        net: Takes and returns (N, 3, H, W); it is not modified.
    """
    started_s = time.perf_counter()
    example = torch.zeros((count, 3, size_wh[1], size_wh[0]), dtype=torch.float16)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the libraries warn about deprecated parts of each other
            graph, settings = _lowered(copy.deepcopy(net).cpu().eval().half(), example)
            plan, network = _planned(*_only_block(graph, settings), settings)
    except (NotUsableError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a compiler raises exceptions of many types
        raise RuntimeError(f"TensorRT cannot build it: {first_line(error)}") from error
    import tensorrt  # torch_tensorrt registers either distribution under this name

    return finished_plan(tensorrt, plan, network, started_s)


def finished_plan(trt: Any, plan: bytes, network: Any, started_s: float) -> Plan:
    """Return a plan with what the network shows that it was built from. Raises RuntimeError if the plan is empty."""
    if not plan:
        raise RuntimeError("TensorRT cannot build it: the plan is empty")
    return Plan(plan, time.perf_counter() - started_s, network.num_layers, _in_fp32(trt, network))


def _lowered(net: nn.Module, example: torch.Tensor) -> tuple[Any, Any]:
    """Return the network as a graph of operations that have converters, and the settings."""
    from torch_tensorrt.dynamo import CompilationSettings
    from torch_tensorrt.dynamo.conversion import DYNAMO_CONVERTERS
    from torch_tensorrt.dynamo.lowering import get_decompositions, post_lowering, pre_export_lowering

    # With the default of five operations per block, a network of three layers would stay in PyTorch.
    settings = CompilationSettings(min_block_size=1, require_full_compilation=True)
    DYNAMO_CONVERTERS.set_compilation_settings(settings)
    program = pre_export_lowering(torch.export.export(net, (example,), strict=False), settings)
    return post_lowering(program.run_decompositions(get_decompositions(False)).module(), settings), settings


def _only_block(graph: Any, settings: Any) -> tuple[Any, Any]:
    """Return the only TensorRT block of the graph, which must contain all operations, and its inputs."""
    from torch_tensorrt.dynamo import partitioning

    supported, total = partitioning.get_graph_converter_support(graph, settings.torch_executed_ops)
    parts, support = partitioning.fast_partition(graph, min_block_size=1, skip_fusion=supported == total)
    if supported != total:
        raise NotUsableError(f"TensorRT has no converter for {', '.join(sorted(support.unsupported_operators))}")
    blocks = [block for name, block in parts.named_children() if "_run_on_acc" in name]
    if len(blocks) != 1:
        raise NotUsableError(f"TensorRT would run it as {len(blocks)} engines instead of one")
    return blocks[0], partitioning.construct_submodule_inputs(blocks[0])


def _planned(block: Any, inputs: Any, settings: Any) -> tuple[bytes, Any]:
    """Return the plan and the network that it was built from."""
    from torch_tensorrt.dynamo.conversion._conversion import infer_module_output_dtypes
    from torch_tensorrt.dynamo.conversion._TRTInterpreter import TRTInterpreter

    dtypes = infer_module_output_dtypes(block)
    interpreter = TRTInterpreter(block, inputs, output_dtypes=dtypes, compilation_settings=settings)
    interpreter._construct_trt_network_def()
    network = interpreter.ctx.net
    plan = interpreter.builder.build_serialized_network(network, interpreter._populate_trt_builder_config())
    return b"" if plan is None else bytes(plan), network


def _in_fp32(trt: Any, network: Any) -> tuple[str, ...]:
    layers = (network.get_layer(index) for index in range(network.num_layers))
    return tuple(
        layer.name
        for layer in layers
        if any(layer.get_output(index).dtype == trt.float32 for index in range(layer.num_outputs))
    )
