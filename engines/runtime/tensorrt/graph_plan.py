"""Build a TensorRT plan of an imported ONNX graph with TensorRT's own parser.

Networks are strongly typed, so the precision of a plan is that of the parsed graph. For FP16 the graph's weights and
its input are converted after parsing.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.imports.graph_settings import GraphSettings
from engines.runtime.base import NotUsableError
from engines.runtime.tensorrt.plan_builder import Plan, finished_plan

_WEIGHTS = {  # by type of the layer: its class and its arrays
    "CONSTANT": ("IConstantLayer", ("weights",)),
    "CONVOLUTION": ("IConvolutionLayer", ("kernel", "bias")),
    "DECONVOLUTION": ("IDeconvolutionLayer", ("kernel", "bias")),
    "SCALE": ("IScaleLayer", ("shift", "scale", "power")),
}


def build_graph_plan(
    trt: Any, graph: bytes, settings: GraphSettings, count: int, size_wh: tuple[int, int], *, half: bool = True
) -> Plan:
    """Build the plan of a graph for `count` regions. Requires a GPU unless `trt` is TensorRT-RTX.

    Args:
        trt: The module of TensorRT.
        graph: The bytes of an ONNX file, as `checked_graph` returns them.
        settings: Its axes, and which output is the picture.
        half: FP16; False for FP32.

    Raises:
        NotUsableError: TensorRT cannot read the graph, or it does not take the size.
        RuntimeError: Building failed.
    """
    started_s = time.perf_counter()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        reasons = [" ".join(parser.get_error(index).desc().split()) for index in range(parser.num_errors)]
        raise NotUsableError(f"TensorRT cannot read it ({'; '.join(reasons)[:200]})")
    width, height = size_wh
    expected = (count, 3, height, width) if settings.layout == "nchw" else (count, height, width, 3)
    network.get_input(0).shape = expected
    others = [network.get_output(index) for index in range(network.num_outputs) if index != settings.output]
    for output in others:
        network.unmark_output(output)
    halved = _halved(trt, network) if half else []  # TensorRT reads these arrays while it builds
    _check_ends(trt, network, expected)
    plan = builder.build_serialized_network(network, builder.create_builder_config())
    del halved
    return finished_plan(trt, b"" if plan is None else bytes(plan), network, started_s)


def _check_ends(trt: Any, network: Any, expected: tuple[int, ...]) -> None:
    """Raise NotUsableError if input or output has a type that is not a picture's, or the output another shape."""
    ends = network.get_input(0), network.get_output(0)
    if any(end.dtype not in (trt.float32, trt.float16, trt.uint8) for end in ends):
        raise NotUsableError(f"it takes {ends[0].dtype} and returns {ends[1].dtype}, which are not types of pictures")
    try:
        shape = tuple(ends[1].shape)
    except ValueError as error:  # TensorRT's form of a shape that it could not infer
        raise NotUsableError(f"it does not take {expected[0]} pictures of this size") from error
    if shape != expected:
        raise NotUsableError(f"TensorRT computes {shape}, expected {expected}")


def _halved(trt: Any, network: Any) -> list[NDArray[np.float16]]:
    """Give the network's FP32 input and weights FP16; return the arrays, which must outlive the build.

    Raises NotUsableError if a weight is beyond the range of FP16.
    """
    kept, entering, layers = list[NDArray[np.float16]](), network.get_input(0), _layers(network)
    if entering.dtype == trt.float32:  # the type of an input cannot be changed
        half = network.add_cast(entering, trt.float16).get_output(0)
        for layer in layers:
            for index in range(layer.num_inputs):
                if layer.get_input(index) is not None and layer.get_input(index).name == entering.name:
                    layer.set_input(index, half)
    for layer in layers:
        if layer.type == trt.LayerType.CAST:
            layer.__class__ = trt.ICastLayer
            if layer.to_type == trt.float32:
                layer.to_type = trt.float16
        kind, names = _WEIGHTS.get(layer.type.name, ("", ()))
        if kind:
            layer.__class__ = getattr(trt, kind)  # layers of a network come as their base class
        for name in names:
            values = np.asarray(getattr(layer, name))
            if values.dtype == np.float32 and values.size:
                with np.errstate(over="ignore"):
                    kept.append(np.ascontiguousarray(values.astype(np.float16)))
                if not np.isfinite(kept[-1]).all():
                    raise NotUsableError(f"its weights reach {np.abs(values).max():.3g}, beyond FP16")
                setattr(layer, name, trt.Weights(kept[-1]))
    return kept


def _layers(network: Any) -> list[Any]:
    return [network.get_layer(index) for index in range(network.num_layers)]
