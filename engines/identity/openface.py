"""The network nn4.small2 of OpenFace, the Inception network of FaceNet (arXiv:1503.03832) made smaller, as a graph.

It is built for OpenVINO from published weights, an .npz file with one flat array for each parameter: NAME_w and NAME_b
of convolutions (out, in, height, width), NAME_w, _b, _m and _v of batch normalisations (scale, shift, mean, variance).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError
from engines.identity.crops import Eyes
from engines.runtime.openvino.converted_graph import load_openvino
from engines.text import first_line
from engines.untrusted_files import plain_size

SIDE_PX, THRESHOLD = 96, 0.99  # of the published program
EYES_XY: Eyes = ((31.0, 32.0), (65.0, 32.0))
_MAX_BYTES = 60_000_000
_EPSILON = 1e-5

Arrays = Mapping[str, NDArray[np.float32]]

# Name of the module; channels of its input; reduction and channels of 3x3; of 5x5; pool kind and channels; of 1x1.
_MODULES: tuple[tuple[str, int, tuple[int, int, int], tuple[int, int, int] | None, tuple[str, int], int], ...] = (
    ("3a", 192, (96, 128, 1), (16, 32, 1), ("max", 32), 64),
    ("3b", 256, (96, 128, 1), (32, 64, 1), ("l2", 64), 64),
    ("3c", 320, (128, 256, 2), (32, 64, 2), ("max", 0), 0),
    ("4a", 640, (96, 192, 1), (32, 64, 1), ("l2", 128), 256),
    ("4e", 640, (160, 256, 2), (64, 128, 2), ("max", 0), 0),
    ("5a", 1024, (96, 384, 1), None, ("l2", 96), 256),
    ("5b", 736, (96, 384, 1), None, ("max", 96), 256),
)


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every parameter by its name."""
    found: dict[str, tuple[int, ...]] = {"dense_w": (128, 736), "dense_b": (128,)}
    _add(found, "conv1", "bn1", 64, 3, 7)
    _add(found, "conv2", "bn2", 64, 64, 1)
    _add(found, "conv3", "bn3", 192, 64, 3)
    for module, inputs, three, five, (_, pooled), one in _MODULES:
        for kernel, branch in ((3, three), (5, five)):
            if branch:
                name = f"inception_{module}_{kernel}x{kernel}"
                _add(found, f"{name}_conv1", f"{name}_bn1", branch[0], inputs, 1)
                _add(found, f"{name}_conv2", f"{name}_bn2", branch[1], branch[0], kernel)
        for kind, channels in (("pool", pooled), ("1x1", one)):
            if channels:
                name = f"inception_{module}_{kind}"
                _add(found, f"{name}_conv", f"{name}_bn", channels, inputs, 1)
    return found


def _add(
    found: dict[str, tuple[int, ...]], convolution: str, normalisation: str, outputs: int, inputs: int, kernel: int
) -> None:
    found |= {f"{convolution}_w": (outputs, inputs, kernel, kernel), f"{convolution}_b": (outputs,)}
    found |= {f"{normalisation}_{key}": (outputs,) for key in "wbmv"}


def read_openface(path: Path) -> Arrays:
    """Read the weights. Raises OptionsError if the file is not readable, or a parameter is missing or incomplete."""
    asked, do = f"OpenFace weights {path}", "name a complete .npz file of nn4.small2"
    try:
        plain_size(path, _MAX_BYTES)
        with np.load(path, allow_pickle=False) as file:
            found = {name: np.array(file[name], np.float32) for name in file.files if name in shapes()}
    except Exception as error:  # numpy raises exceptions of many types for a damaged npz
        raise OptionsError(asked, f"not readable ({first_line(error)})", do) from error
    short = [name for name, shape in shapes().items() if name not in found or found[name].size != math.prod(shape)]
    if short:
        got = f"{len(short)} of {len(shapes())} parameters are missing or incomplete, {', '.join(short[:3])} among them"
        raise OptionsError(asked, got, do)
    return {name: found[name].reshape(shape) for name, shape in shapes().items()}


def openface_graph(weights: Arrays) -> Any:
    """Return the OpenVINO graph: RGB (N, 3, 96, 96) in 0..1 to embeddings (N, 128) of length 1."""
    load_openvino()
    import openvino
    from openvino import opset8 as ops

    net = _Graph(ops, weights)
    rgb = ops.parameter([-1, 3, SIDE_PX, SIDE_PX], np.float32)
    x = net.max_pool(net.convolution(rgb, "conv1", "bn1", stride=2, pad=3), pad=1)
    x = net.convolution(net.local_response(x), "conv2", "bn2")
    x = net.max_pool(net.local_response(net.convolution(x, "conv3", "bn3", pad=1)), pad=1)
    for module, _, three, five, (pool, pooled), one in _MODULES:
        x = net.inception(x, f"inception_{module}", three, five, pool, pooled, one)
    x = ops.reshape(net.average(x, 3, 1), np.array([0, -1]), special_zero=True)
    x = ops.add(ops.matmul(x, weights["dense_w"], False, True), weights["dense_b"][None])
    return openvino.Model([ops.normalize_l2(x, np.array([1]), 1e-12, "max")], [rgb], "openface")


class _Graph:
    """Adds layers to a graph."""

    def __init__(self, ops: Any, weights: Arrays) -> None:
        self._ops, self._weights = ops, weights

    def convolution(self, x: Any, name: str, normalisation: str, stride: int = 1, pad: int = 0) -> Any:
        """Convolution, batch normalisation in one with it, and ReLU."""
        scale, shift, mean, variance = (self._weights[f"{normalisation}_{key}"] for key in "wbmv")
        gain = scale / np.sqrt(variance + _EPSILON)
        kernel = self._weights[f"{name}_w"] * gain[:, None, None, None]
        bias = (self._weights[f"{name}_b"] - mean) * gain + shift
        x = self._ops.convolution(x, kernel, [stride] * 2, [pad] * 2, [pad] * 2, [1, 1])
        return self._ops.relu(self._ops.add(x, bias[None, :, None, None]))

    def inception(
        self, x: Any, name: str, three: tuple[int, int, int], five: tuple[int, int, int] | None, pool: str, pooled: int,
        one: int,
    ) -> Any:  # fmt: skip
        """Concatenate 3x3, 5x5, pooling and 1x1."""
        branches = []
        for kernel, branch in ((3, three), (5, five)):
            if branch:
                part = f"{name}_{kernel}x{kernel}"
                reduced = self.convolution(x, f"{part}_conv1", f"{part}_bn1")
                branches.append(
                    self.convolution(reduced, f"{part}_conv2", f"{part}_bn2", stride=branch[2], pad=kernel // 2)
                )
        branches.append(self._pooled(x, name, pool, pooled))
        if one:
            branches.append(self.convolution(x, f"{name}_1x1_conv", f"{name}_1x1_bn"))
        return self._ops.concat(branches, 1)

    def _pooled(self, x: Any, name: str, pool: str, channels: int) -> Any:
        """Pool, reduce the channels, and make the map as large as those of the other branches."""
        height = _height(x)
        target = -(-height // 2) if not channels else height
        if pool == "max":
            x = self.max_pool(x)
        else:  # the root of the mean of squares times nine: Torch's LP pooling
            ops = self._ops
            x = ops.sqrt(ops.multiply(self.average(ops.multiply(x, x), 3, 3), np.float32(9)))
        if channels:
            x = self.convolution(x, f"{name}_pool_conv", f"{name}_pool_bn")
        missing = target - _height(x)
        low, high = missing // 2, missing - missing // 2
        pads = np.array([0, 0, low, low]), np.array([0, 0, high, high])
        return self._ops.pad(x, *pads, "constant", np.float32(0)) if missing else x

    def max_pool(self, x: Any, pad: int = 0) -> Any:
        """3x3, every second pixel."""
        return self._ops.max_pool(x, [2, 2], [1, 1], [pad] * 2, [pad] * 2, [3, 3], "floor").output(0)

    def average(self, x: Any, side: int, stride: int) -> Any:
        """Mean of squares of pixels."""
        return self._ops.avg_pool(x, [stride] * 2, [0, 0], [0, 0], [side] * 2, True, "floor")

    def local_response(self, x: Any) -> Any:
        """Local response normalisation over five channels."""
        return self._ops.lrn(x, np.array([1]), 1e-4, 0.75, 1.0, 5)


def _height(x: Any) -> int:
    output = x if hasattr(x, "get_partial_shape") else x.output(0)
    return int(output.get_partial_shape()[2].get_length())
