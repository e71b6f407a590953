"""An imported ONNX or TensorFlow Lite file as an OpenVINO graph that takes and returns BGR regions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.imports.graph_settings import RANGES, GraphSettings

if TYPE_CHECKING:
    import openvino

_TO_NCHW, _TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def adapted_graph(core: openvino.Core, path: Path, settings: GraphSettings, size_wh: tuple[int, int]) -> openvino.Model:
    """Read a file and return its graph, (N, H, W, 3) uint8 BGR to (N, H, W, 3) float32 BGR in steps of 1/255.

    The size is fixed; the picture is clipped to 0..255.

    Raises:
        RuntimeError: OpenVINO cannot read the file, or it does not take the size.
        ValueError: Its picture has another size than its input.
    """
    import openvino

    ops: Any = openvino.opset13
    model = core.read_model(path)
    count, (width, height) = (1 if settings.one_face else -1), size_wh
    nchw = settings.layout == "nchw"
    model.reshape([count, 3, height, width] if nchw else [count, height, width, 3])
    regions = ops.parameter(openvino.PartialShape([count, height, width, 3]), openvino.Type.u8, "regions_bgr")
    parameter, result = model.get_parameters()[0], model.get_results()[settings.output]
    entering = _entering(ops, regions, settings, parameter.get_element_type())
    parameter.output(0).replace(entering.output(0))
    shape = [side.get_length() if side.is_static else -1 for side in result.get_output_partial_shape(0)]
    expected = [3, height, width] if nchw else [height, width, 3]
    if shape[1:] != expected:
        raise ValueError(f"its picture has the shape {shape}, expected {[count, *expected]}")
    leaving = _leaving(ops, result.input_value(0), settings)
    return openvino.Model([ops.result(leaving)], [regions], "imported")


def _entering(ops: Any, regions: Any, settings: GraphSettings, kind: Any) -> Any:
    low, high = RANGES[settings.input_range]
    x = _swapped(ops, ops.convert(regions, "f32"), settings)
    if (low, high) != (0.0, 255.0):
        x = ops.add(ops.multiply(x, _number((high - low) / 255)), _number(low))
    if settings.layout == "nchw":
        x = ops.transpose(x, list(_TO_NCHW))
    return x if kind.get_type_name() == "f32" else ops.convert(x, kind.get_type_name())


def _leaving(ops: Any, picture: Any, settings: GraphSettings) -> Any:
    low, high = RANGES[settings.output_range]
    x = ops.convert(picture, "f32")
    if settings.layout == "nchw":
        x = ops.transpose(x, list(_TO_NHWC))
    if (low, high) != (0.0, 255.0):
        x = ops.multiply(ops.subtract(x, _number(low)), _number(255 / (high - low)))
    return _swapped(ops, ops.clamp(x, 0.0, 255.0), settings)


def _swapped(ops: Any, x: Any, settings: GraphSettings) -> Any:
    """Reverse the colours, (N, H, W, 3), if the graph works in RGB."""
    return ops.gather(x, [2, 1, 0], 3) if settings.colours == "rgb" else x


def _number(value: float) -> Any:
    import numpy as np

    return np.float32(value)
