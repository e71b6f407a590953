"""Identity loss: whether a face recognition network sees the same person on photo and drawing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.identity.crops import USUAL_EYES_XY as EYES_XY
from engines.identity.crops import USUAL_SIDE_PX as SIDE_PX
from engines.runtime.openvino.converted_graph import openvino_core
from engines.text import first_line

_KNOWN = ("Parameter", "Constant", "Convolution", "GroupConvolution", "Add", "Multiply", "Divide", "Clamp", "Reshape",
          "MatMul", "Result", "Relu", "Subtract")  # fmt: skip


class IdentityNetwork(nn.Module):
    """A face recognition network, read from an OpenVINO graph so that gradients pass through it.

    The weights are buffers: they are never trained.

    Args:
        file: The .xml file of a graph that maps RGB (N, 3, 112, 112) in 0..255 to embeddings (N, features), made of
            convolutions, additions, products, quotients, limits and one matrix product.

    Raises:
        OptionsError: The file is not readable, or has other operations.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        do = "name the .xml file of a face recognition network with --identity"
        try:
            graph = openvino_core().read_model(str(file))
        except RuntimeError as error:
            raise OptionsError(f"identity network {file}", first_line(error), do) from error
        self._steps: list[tuple[str, str, list[str], dict[str, Any]]] = []  # name, kind, inputs, attributes
        unknown = {op.get_type_name() for op in graph.get_ordered_ops()}.difference(_KNOWN)
        shape = list(graph.inputs[0].partial_shape) if len(graph.inputs) == 1 else []
        if unknown or [one.is_static and one.get_length() for one in shape[1:]] != [3, SIDE_PX, SIDE_PX]:
            got = f"operations {', '.join(sorted(unknown))}" if unknown else "its input is not RGB of 112x112 pixels"
            raise OptionsError(f"identity network {file}", got, do)
        for number, op in enumerate(graph.get_ordered_ops()):
            name, kind = op.get_friendly_name(), op.get_type_name()
            if kind == "Constant":
                value = torch.from_numpy(np.array(op.data))
                self.register_buffer(f"value{number}", value.float() if value.is_floating_point() else value)
                self._steps.append((name, kind, [f"value{number}"], {}))
            else:
                inputs = [one.get_source_output().get_node().get_friendly_name() for one in op.inputs()]
                self._steps.append((name, kind, inputs, dict(op.get_attributes())))

    def forward(self, crops_rgb: Tensor) -> Tensor:
        """Return embeddings (N, features) of length 1 of face crops, RGB (N, 3, 112, 112) in 0..1; see `eye_crops`."""
        known: dict[str, Tensor] = {}
        for name, kind, inputs, about in self._steps:
            if kind == "Parameter":
                known[name] = crops_rgb * 255
            elif kind == "Constant":
                known[name] = self.get_buffer(inputs[0])
            elif kind != "Result":
                known[name] = last = _computed(kind, [known[one] for one in inputs], about)
        return F.normalize(last.flatten(1))

    def cosine(self, photos_rgb: Tensor, drawings_rgb: Tensor, eyes_xy: Tensor) -> Tensor:
        """Return the cosine of the embeddings of photos and drawings of the same faces, (N,).

        Args:
            photos_rgb: (N, 3, H, W) RGB in 0..1. Its embeddings have no gradient.
            drawings_rgb: Of the same shape.
            eyes_xy: (N, 2, 2) pixels: both irises, the left one in the picture first.
        """
        with torch.no_grad():
            wanted = self(eye_crops(photos_rgb, eyes_xy))
        products: Tensor = wanted * self(eye_crops(drawings_rgb, eyes_xy))
        return products.sum(1)


def eye_crops(pictures: Tensor, eyes_xy: Tensor) -> Tensor:
    """Return crops (N, 3, 112, 112) of pictures (N, 3, H, W), level at the eyes (N, 2, 2), in pixels."""
    height, width = pictures.shape[2:]
    (left, top), (right, _) = EYES_XY
    between = (eyes_xy[:, 1] - eyes_xy[:, 0]) / (right - left)  # pixels of the picture for a pixel of the crop
    ax, ay = between[:, 0], between[:, 1]
    turn = torch.stack((torch.stack((ax, -ay), 1), torch.stack((ay, ax), 1)), 1)  # N, 2, 2
    middle = torch.tensor((SIDE_PX / 2 - 0.5 - left, SIDE_PX / 2 - 0.5 - top), device=pictures.device)
    centre = eyes_xy[:, 0] + turn @ middle  # where the crop's centre lies in the picture
    sides = torch.tensor((width, height), device=pictures.device, dtype=torch.float32)
    theta = torch.cat((turn * SIDE_PX / sides[:, None], (2 * (centre + 0.5) / sides - 1)[:, :, None]), 2)
    grid = F.affine_grid(theta, [len(pictures), 3, SIDE_PX, SIDE_PX], align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


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
    if kind == "Reshape":
        return x.flatten(1)
    if kind == "MatMul":
        return x @ (inputs[1].mT if about["transpose_b"] else inputs[1])
    if kind == "Divide":
        return x / inputs[1]
    if kind == "Subtract":
        return x - inputs[1]
    return x + inputs[1] if kind == "Add" else x * inputs[1]
