"""Write small ONNX models: protobuf fields, tensors, operators, and a fast style network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.imports.onnx_fields import varint

_TYPES = {"float32": 1, "uint8": 2, "int64": 7, "float16": 10}
Shape = Sequence[int | str]


def field(number: int, content: bytes | int | str) -> bytes:
    """Return one protobuf field: a number, a text or a message."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content & (2**64 - 1))
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: NDArray[Any], *, external: Mapping[str, object] | None = None) -> bytes:
    """Return a TensorProto, with its bytes or with the file that holds them ("location", "offset", "length")."""
    dims = b"".join(field(1, int(side)) for side in values.shape)
    head = dims + field(2, _TYPES[values.dtype.name]) + field(8, name)
    if external is None:
        return head + field(9, values.tobytes())
    pairs = b"".join(field(13, field(1, key) + field(2, str(value))) for key, value in external.items())
    return head + pairs + field(14, 1)


def node(operator: str, inputs: Sequence[str], output: str, *, domain: str = "", **attributes: Any) -> bytes:
    """Return a NodeProto with one output; attributes are numbers, texts or lists of whole numbers."""
    parts = [field(1, name) for name in inputs] + [field(2, output), field(4, operator)]
    parts += [field(5, _attribute(name, value)) for name, value in attributes.items()]
    return b"".join(parts) + (field(7, domain) if domain else b"")


def model(
    nodes: Sequence[bytes],
    constants: Sequence[bytes],
    inputs: Mapping[str, Shape],
    outputs: Mapping[str, Shape],
    *,
    opset: int = 13,
    kind: str = "float32",
) -> bytes:
    """Return a ModelProto. Sides of inputs and outputs that are names are not fixed."""
    graph = b"".join(field(1, one) for one in nodes) + field(2, "graph") + b"".join(field(5, one) for one in constants)
    graph += b"".join(field(11, _value(name, shape, kind)) for name, shape in inputs.items())
    graph += b"".join(field(12, _value(name, shape, kind)) for name, shape in outputs.items())
    return field(1, 8) + field(2, "veneer") + field(7, graph) + field(8, field(1, "") + field(2, opset))


class _Layers:
    """Operators in a row, with random weights."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []
        self._random = np.random.default_rng(seed)
        self._count = 0

    def constant(self, values: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(tensor(name, values))
        return name

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        self._count += 1
        output = f"x{self._count}"
        self.nodes.append(node(operator, inputs, output, **attributes))
        return output

    def conv(self, x: str, into: int, out: int, size: int, stride: int = 1, *, gain: float = 1.0) -> str:
        pad = self.constant(np.array([0, 0, size // 2, size // 2] * 2, np.int64))
        spread = gain * (2 / (into * size * size)) ** 0.5
        weights = (self._random.standard_normal((out, into, size, size)) * spread).astype(np.float32)
        padded = self.add("Pad", x, pad, mode="reflect")
        return self.add("Conv", padded, self.constant(weights), kernel_shape=[size, size], strides=[stride, stride])

    def normed(self, x: str, channels: int) -> str:
        scale, shift = (self.constant(np.full(channels, value, np.float32)) for value in (1, 0.1))
        return self.add("Relu", self.add("InstanceNormalization", x, scale, shift, epsilon=1e-5))

    def doubled(self, x: str) -> str:
        scales = self.constant(np.array([1, 1, 2, 2], np.float32))
        more = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.add("Resize", x, "", scales, **more)


def fast_style(channels: int = 4, blocks: int = 2, side: Shape = (256, 256), *, seed: int = 0) -> bytes:
    """Return a network of Johnson et al. (2016) with few channels, random weights, 0..255 in and 0..1 out.

    With the usual values it has about 0.1 GMAC at 256x256.
    """
    layers, c = _Layers(seed), channels
    x = layers.add("Div", "picture", layers.constant(np.array(255, np.float32)))
    x = layers.normed(layers.conv(x, 3, c, 5), c)
    x = layers.normed(layers.conv(x, c, 2 * c, 3, 2), 2 * c)
    x = layers.normed(layers.conv(x, 2 * c, 4 * c, 3, 2), 4 * c)
    for _ in range(blocks):
        inner = layers.normed(layers.conv(x, 4 * c, 4 * c, 3), 4 * c)
        x = layers.add("Add", x, layers.conv(inner, 4 * c, 4 * c, 3))
    x = layers.normed(layers.conv(layers.doubled(x), 4 * c, 2 * c, 3), 2 * c)
    x = layers.normed(layers.conv(layers.doubled(x), 2 * c, c, 3), c)
    last = layers.conv(x, c, 3, 5, gain=0.3)  # of moderate contrast, as drawings are
    layers.nodes.append(node("Sigmoid", [last], "drawn"))
    shape: Shape = ("count", 3, *side)
    return model(layers.nodes, layers.constants, {"picture": shape}, {"drawn": shape})


def _attribute(name: str, value: Any) -> bytes:
    if isinstance(value, float):
        return field(1, name) + b"\x15" + np.float32(value).tobytes() + field(20, 1)
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, 2)
    if isinstance(value, str):
        return field(1, name) + field(4, value) + field(20, 3)
    return field(1, name) + b"".join(field(8, one) for one in value) + field(20, 7)


def _value(name: str, shape: Shape, kind: str) -> bytes:
    sides = b"".join(field(1, field(1, side) if isinstance(side, int) else field(2, side)) for side in shape)
    return field(1, name) + field(2, field(1, field(1, _TYPES[kind]) + field(2, sides)))
