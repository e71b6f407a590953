"""What an imported graph says of itself, found by OpenVINO in a process of its own.

`python -m engines.imports.graph_description FILE WIDTH HEIGHT LAYOUT` prints a JSON object. A file that crashes or
blocks the parser ends this process, and not the program.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAX_ADDRESSES = 16_000_000_000  # of virtual memory: an operator that asks for more fails
_MIN_SIDE_PX, _MAX_SIDE_PX = 32, 1024
_BOUNDED = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0), "HardSigmoid": (0.0, 1.0), "SoftSign": (-1.0, 1.0)}
_PASSING = ("Transpose", "Reshape", "Convert", "Squeeze", "Unsqueeze", "Interpolate", "Round", "Floor", "FakeQuantize")
_ARITHMETIC = ("Add", "Subtract", "Multiply", "Divide")
_RANGES = {"0..1": (0.0, 1.0), "-1..1": (-1.0, 1.0), "0..255": (0.0, 255.0)}
_CONVOLUTIONS = ("Convolution", "GroupConvolution")
_TRANSPOSED = ("ConvolutionBackpropData", "GroupConvolutionBackpropData")


def describe(path: Path, asked_wh: tuple[int, int] | None, layout: str) -> dict[str, Any]:
    """Return layout, size, ranges, colours and cost of a graph, with "" for what it does not say.

    Raises ValueError if it is not one picture in and one picture out; RuntimeError if OpenVINO cannot read it.
    """
    from engines.runtime.openvino.converted_graph import openvino_core

    core = openvino_core()
    model = core.read_model(path)
    shape = _sides(model.inputs[0].partial_shape)
    if len(model.inputs) != 1 or len(shape) != 4:
        raise ValueError(f"its input has the shape {shape}, and a style takes one picture with three colours")
    layout = layout or _layout(shape)
    if not layout:
        return {"layout": ""}
    width, height = (shape[3], shape[2]) if layout == "nchw" else (shape[2], shape[1])
    fixed = (width, height) if width > 0 and height > 0 else None
    size_wh = asked_wh or fixed
    said = {"input_range": _input_range(model), "colours": _colours(model)}
    if size_wh is None:
        return {"layout": layout, "size_wh": None, **said}
    if not all(_MIN_SIDE_PX <= side <= _MAX_SIDE_PX for side in size_wh):
        raise ValueError(
            f"its input has {size_wh[0]}x{size_wh[1]} pixels, {_MIN_SIDE_PX} to {_MAX_SIDE_PX} can be used"
        )
    if any(_has_nan(node) for node in _constants(model)):
        raise ValueError("its weights contain NaN")
    one = _shaped(model, layout, size_wh, 1)
    outputs = [index for index, output in enumerate(one.outputs) if _is_picture(output, layout, size_wh)]
    if len(outputs) != 1:
        shapes = ", ".join(str(_sides(output.partial_shape)) for output in one.outputs[:4])
        raise ValueError(f"its outputs have the shapes {shapes}, and a style needs one picture of its input's size")
    return {
        "layout": layout, "size_wh": list(size_wh), **said, "output_range": _output_range(model, outputs[0]),
        "output": outputs[0], "one_face": not _takes_two(core, model, layout, size_wh, outputs[0]),
        "gmac": round(_macs(one) / 1e9, 4), "parameters": _parameters(one),
    }  # fmt: skip


def _sides(shape: Any) -> list[int]:
    if shape.rank.is_dynamic:
        return []
    return [side.get_length() if side.is_static else -1 for side in shape]


def _layout(shape: list[int]) -> str:
    first, last = shape[1] == 3, shape[3] == 3
    return "" if first == last else "nchw" if first else "nhwc"


def _shaped(model: Any, layout: str, size_wh: tuple[int, int], count: int) -> Any:
    width, height = size_wh
    copy = model.clone()
    copy.reshape([count, 3, height, width] if layout == "nchw" else [count, height, width, 3])
    return copy


def _is_picture(output: Any, layout: str, size_wh: tuple[int, int]) -> bool:
    width, height = size_wh
    return _sides(output.partial_shape)[1:] == ([3, height, width] if layout == "nchw" else [height, width, 3])


def _takes_two(core: Any, model: Any, layout: str, size_wh: tuple[int, int], output: int) -> bool:
    """Whether two pictures in one call give what each gives alone."""
    import numpy as np

    try:
        two = core.compile_model(_shaped(model, layout, size_wh, 2), "CPU")
        one = core.compile_model(_shaped(model, layout, size_wh, 1), "CPU")
        shape = list(two.inputs[0].shape)
        pictures = np.random.default_rng(0).random(shape).astype(two.inputs[0].element_type.to_dtype())
        both = np.asarray(two([pictures])[output], np.float32)
        alone = np.concatenate([np.asarray(one([pictures[i : i + 1]])[output], np.float32) for i in range(2)])
    except RuntimeError:
        return False
    return both.shape == alone.shape and bool(np.abs(both - alone).max() <= 0.02 * max(1.0, float(np.abs(alone).max())))


def _values(output: Any) -> list[float]:
    """Return the values of a small constant, else []."""
    node = output.get_node()
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    if node.get_type_name() != "Constant" or math.prod(node.get_output_shape(0)) > 3:
        return []
    return [float(value) for value in node.get_data().astype("float64").flatten()]


def _chain(model: Any) -> Iterator[tuple[str, list[float]]]:
    """Yield the arithmetic that the input goes through first: the operator and its constant."""
    output = model.get_parameters()[0].output(0)
    while True:
        targets = list(output.get_target_inputs())
        if len(targets) != 1:
            return
        node = targets[0].get_node()
        kind = node.get_type_name()
        if kind in _ARITHMETIC:
            values = _values(node.input_value(1 - targets[0].get_index()))
            if not values or (targets[0].get_index() == 1 and kind in ("Subtract", "Divide")):
                return
            yield kind, values
        elif kind not in _PASSING:
            return
        output = node.output(0)


def _affine(model: Any) -> tuple[float, float]:
    """Return the mean factor and summand that the input goes through before the first layer."""
    factor, summand = 1.0, 0.0
    for kind, values in _chain(model):
        value = sum(values) / len(values)
        if kind in ("Add", "Subtract"):
            summand += value if kind == "Add" else -value
        elif value:
            by = value if kind == "Multiply" else 1 / value
            factor, summand = factor * by, summand * by
    return factor, summand


def _input_range(model: Any) -> str:
    """Return the range that the arithmetic on the input shows; "" if it shows none."""
    if str(model.inputs[0].element_type.get_type_name()) == "u8":
        return "0..255"
    factor, summand = _affine(model)
    if 1 / 300 < abs(factor) < 1 / 50:
        return "0..255"
    if abs(factor - 1) < 1e-6:
        return "0..255" if -150 < summand < -80 else ""
    if (1.5 < factor < 6 and summand < -0.5) or abs(factor - 255) < 1:
        return "0..1"
    return "-1..1" if abs(factor - 127.5) < 1 else ""


def _colours(model: Any) -> str:
    """Return the order of the colours if means of the usual photographs are subtracted: those of blue are smallest."""
    for kind, values in _chain(model):
        means = values if kind == "Subtract" else [-value for value in values] if kind == "Add" else []
        if len(means) == 3 and all(mean > 0 for mean in means) and means[0] != means[2]:
            return "rgb" if means[0] > means[2] else "bgr"
    return ""


def _interval(output: Any, depth: int = 0) -> tuple[float, float] | None:
    """Return the bounds of an output that its last operators show; None if they show none."""
    node = output.get_node()
    kind = node.get_type_name()
    if kind in _BOUNDED:
        return _BOUNDED[kind]
    if kind == "Clamp":
        attributes = node.get_attributes()
        return float(attributes["min"]), float(attributes["max"])
    if depth > 40:
        return None
    if kind == "Convert" and node.get_output_element_type(0).get_type_name() == "u8":
        return 0.0, 255.0
    if kind in _PASSING:
        return _interval(node.input_value(0), depth + 1)
    if kind in ("Minimum", "Maximum"):
        return _clipped(node, kind, depth)
    if kind not in _ARITHMETIC:
        return None
    for index in (0, 1):
        values, inner = _values(node.input_value(index)), None
        if values and (index == 1 or kind in ("Add", "Multiply")):
            inner = _interval(node.input_value(1 - index), depth + 1)
        if inner is not None:
            return _moved(inner, kind, values[0])
    return None


def _clipped(node: Any, kind: str, depth: int) -> tuple[float, float] | None:
    """Return the bounds of a minimum or maximum with a constant; infinite on a side that has none."""
    for index in (0, 1):
        if len(values := _values(node.input_value(index))) == 1:
            low, high = _interval(node.input_value(1 - index), depth + 1) or (-math.inf, math.inf)
            choose = min if kind == "Minimum" else max
            return choose(low, values[0]), choose(high, values[0])
    return None


def _moved(interval: tuple[float, float], kind: str, value: float) -> tuple[float, float]:
    low, high = interval
    if kind in ("Add", "Subtract"):
        by = value if kind == "Add" else -value
        return low + by, high + by
    by = value if kind == "Multiply" else 1 / (value or 1)
    return min(low * by, high * by), max(low * by, high * by)


def _output_range(model: Any, index: int) -> str:
    result = model.get_results()[index]
    if result.get_output_element_type(0).get_type_name() == "u8":
        return "0..255"
    found = _interval(result.input_value(0))
    if found is None:
        return ""
    for name, (low, high) in _RANGES.items():
        if max(abs(found[0] - low), abs(found[1] - high)) <= 0.02 * (high - low):
            return name
    return ""


def _macs(model: Any) -> int:
    """Return the multiply-accumulates of all convolutions and matrix products for one picture."""
    total = 0
    for node in model.get_ordered_ops():
        kind = node.get_type_name()
        with contextlib.suppress(RuntimeError):  # a shape that depends on the input
            if kind in _CONVOLUTIONS:
                total += math.prod(node.get_output_shape(0)[2:]) * math.prod(node.input_value(1).get_shape())
            elif kind in _TRANSPOSED:
                total += math.prod(node.input_value(0).get_shape()[2:]) * math.prod(node.input_value(1).get_shape())
            elif kind == "MatMul":
                inner = node.input_value(0).get_shape()[-2 if node.get_attributes().get("transpose_a") else -1]
                total += math.prod(node.get_output_shape(0)) * inner
    return total


def _constants(model: Any) -> list[Any]:
    return [node for node in model.get_ordered_ops() if node.get_type_name() == "Constant"]


def _has_nan(constant: Any) -> bool:
    """Whether a constant contains NaN; infinity may be a bound or a mask."""
    import numpy as np

    if constant.get_output_element_type(0).get_type_name() not in ("f64", "f32", "f16", "bf16"):
        return False
    return bool(np.isnan(constant.get_data(dtype=np.float32)).any())


def _parameters(model: Any) -> int:
    return sum(
        math.prod(node.get_output_shape(0))
        for node in _constants(model)
        if node.get_output_element_type(0).get_type_name() in ("f32", "f16", "bf16", "u8", "i8")
    )


def _reason(error: Exception) -> str:
    """Return the first line of an error, and the one after a heading."""
    from engines.text import first_line

    unread = re.search("No conversion rule found for operations: [^\n]*", str(error))
    if unread:
        return unread[0]
    line = first_line(error)
    after = str(error).partition(line)[2].split("\n") if line.endswith(":") else []
    return " ".join([line, *[text.strip() for text in after if text.strip()][:1]])[:300]


def main() -> None:
    """Print the description of a file, or the reason why there is none."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESSES, _MAX_ADDRESSES))
    name, width, height, layout = sys.argv[1:]
    asked = (int(width), int(height)) if int(width) else None
    try:
        found = describe(Path(name), asked, "" if layout == "-" else layout)
    except Exception as error:  # of OpenVINO: RuntimeError and TypeError of many kinds
        found = {"error": "it needs too much memory" if isinstance(error, MemoryError) else _reason(error)}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
