"""A trained network in an OpenVINO graph, as a PyTorch module through which gradients pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.runtime.openvino.converted_graph import openvino_core
from engines.text import first_line

_KNOWN = ("Parameter", "Convolution", "GroupConvolution", "Add", "Multiply", "Divide", "Clamp", "Reshape",
          "MatMul", "Relu", "Subtract", "PRelu", "MaxPool", "Pad", "Transpose")  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Step:
    """One operation: its name, the names of its inputs, and its attributes."""

    name: str
    kind: str
    inputs: list[str]
    about: dict[str, Any]


class FrozenGraph(nn.Module):
    """A graph of one input, computed by PyTorch.

    The weights are buffers: they are never trained.

    Args:
        file: A file that OpenVINO reads: .xml, .onnx or .tflite.
        requested: What the file is, for messages.
        remedy: What to do if it is another one.

    Attributes:
        input_shape: Of one picture, without the batch.

    Raises:
        OptionsError: The file is not readable, or has other operations or attributes of them.
    """

    def __init__(self, file: Path, requested: str, remedy: str) -> None:
        super().__init__()
        try:
            graph = openvino_core().read_model(str(file))
        except RuntimeError as error:
            raise OptionsError(f"{requested} {file}", first_line(error), remedy) from error
        constants, self._steps = _ordered(graph)
        unknown = {step.kind for step in self._steps if step.kind not in _KNOWN or _unsupported(step.about)}
        if unknown:
            raise OptionsError(f"{requested} {file}", f"operations {', '.join(sorted(unknown))}", remedy)
        shape = list(graph.inputs[0].partial_shape)[1:] if len(graph.inputs) == 1 else []
        self.input_shape = [one.get_length() if one.is_static else -1 for one in shape]
        self._result = _source(graph.outputs[0].node.inputs()[0])
        used = {one for step in self._steps for one in step.inputs}
        self._buffers_of = {name: f"value{number}" for number, name in enumerate(constants) if name in used}
        for name, buffer in self._buffers_of.items():
            self.register_buffer(buffer, constants[name])

    def forward(self, pictures: Tensor) -> Tensor:
        """Return the graph's first output for its input, both with the batch in front."""
        known = {name: self.get_buffer(buffer) for name, buffer in self._buffers_of.items()}
        for step in self._steps:
            if step.kind == "Parameter":
                known[step.name] = pictures
            else:
                known[step.name] = _computed(step.kind, [known[one] for one in step.inputs], step.about)
        return known[self._result]


def _unsupported(about: dict[str, Any]) -> bool:
    """Whether an operation has attributes with which `_computed` would compute something else."""
    dilated = any(step != 1 for step in about.get("dilations", ()))
    reshaped = "special_zero" in about and about["rank"] != 2  # of a reshape: all but the batch become one axis
    return dilated or reshaped or bool(about.get("transpose_a")) or about.get("pad_mode", "constant") != "constant"


def _ordered(graph: Any) -> tuple[dict[str, Tensor], list[_Step]]:
    """Return the graph's constants by name, and the operations on its input in their order.

    What depends on constants only, such as weights in half precision and in another order of axes, is computed.
    """
    constants: dict[str, Tensor] = {}
    steps: list[_Step] = []
    for op in graph.get_ordered_ops():
        inputs = [_source(one) for one in op.inputs()]
        about = {**op.get_attributes(), "rank": op.output(0).partial_shape.rank.get_length() if op.outputs() else 0}
        step = _Step(op.get_friendly_name(), op.get_type_name(), inputs, about)
        if step.kind == "Constant":
            value = torch.from_numpy(np.array(op.data))
            constants[step.name] = value.float() if value.is_floating_point() else value
        elif step.kind in ("Convert", "Unsqueeze", "Reshape") and step.inputs[0] in constants:
            constants[step.name] = constants[step.inputs[0]].reshape(list(op.output(0).shape))
        elif step.inputs and step.kind in _KNOWN and all(one in constants for one in step.inputs):
            constants[step.name] = _computed(step.kind, [constants[one] for one in step.inputs], step.about)
        elif step.kind != "Result":
            steps.append(step)
    return constants, steps


def _source(place: Any) -> str:
    """Return the name of the operation that computes an input of another one."""
    return str(place.get_source_output().get_node().get_friendly_name())


def _computed(kind: str, inputs: list[Tensor], about: dict[str, Any]) -> Tensor:
    """Compute one operation of an OpenVINO graph, opset 1."""
    x = inputs[0]
    if kind in ("Convolution", "GroupConvolution"):
        weight, groups = inputs[1], 1
        if kind == "GroupConvolution":  # weights (groups, out, in, height, width)
            groups, weight = len(weight), weight.flatten(0, 1)
        (top, left), (bottom, right) = about["pads_begin"], about["pads_end"]
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, None, tuple(about["strides"]), groups=groups)
    if kind == "Clamp":
        return x.clamp(float(about["min"]), float(about["max"]))
    if kind == "Relu":
        return x.relu()
    if kind == "PRelu":
        return F.prelu(x, inputs[1].flatten())
    if kind == "MaxPool":
        (top, left), (bottom, right) = about["pads_begin"], about["pads_end"]
        padded = F.pad(x, (left, right, top, bottom), value=-torch.inf)
        return F.max_pool2d(padded, tuple(about["kernel"]), tuple(about["strides"]))
    if kind == "Pad":
        before, after = inputs[1].tolist(), inputs[2].tolist()
        return F.pad(x, [count for pair in zip(before[::-1], after[::-1], strict=True) for count in pair])
    if kind == "Transpose":
        return x.permute(inputs[1].tolist())
    if kind == "Reshape":
        return x.flatten(1)
    if kind == "MatMul":
        return x @ (inputs[1].mT if about["transpose_b"] else inputs[1])
    if kind == "Divide":
        return x / inputs[1]
    if kind == "Subtract":
        return x - inputs[1]
    return x + inputs[1] if kind == "Add" else x * inputs[1]
