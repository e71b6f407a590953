"""OpenFace's network: the graph computes what its layers compute one by one; incomplete files are refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import openvino
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from engines.errors import OptionsError
from engines.identity.openface import Arrays, openface_graph, read_openface, shapes


def random_weights() -> dict[str, np.ndarray]:
    """Weights under which no layer fades: normalised, with positive variances."""
    rng = np.random.default_rng(0)
    found = {}
    for name, shape in shapes().items():
        values = rng.standard_normal(shape) / math.sqrt(max(1, math.prod(shape[1:])))
        found[name] = (np.abs(values) + 0.5 if name.endswith("_v") else values).astype(np.float32)
        if name.endswith(("_b", "_m")):
            found[name] *= np.float32(0.05)
        if name.endswith("_w") and len(shape) == 1:
            found[name] = np.abs(found[name]) + np.float32(0.5)
    return found


class Published:
    """The layers of nn4.small2.def.lua, one by one, in PyTorch."""

    def __init__(self, weights: Arrays) -> None:
        self._weights = {name: torch.from_numpy(one) for name, one in weights.items()}

    def layer(self, x: Tensor, name: str, bn: str, **how: int) -> Tensor:
        w = self._weights
        x = F.conv2d(x, w[f"{name}_w"], w[f"{name}_b"], **how)
        return F.batch_norm(x, w[f"{bn}_m"], w[f"{bn}_v"], w[f"{bn}_w"], w[f"{bn}_b"], eps=1e-5).relu()

    def module(self, x: Tensor, at: str, stride: int, pool: str) -> Tensor:
        at = f"inception_{at}"
        parts = []
        for side in (3, 5):
            if f"{at}_{side}x{side}_conv1_w" in self._weights:
                name = f"{at}_{side}x{side}"
                reduced = self.layer(x, f"{name}_conv1", f"{name}_bn1")
                parts.append(self.layer(reduced, f"{name}_conv2", f"{name}_bn2", stride=stride, padding=side // 2))
        pooled = F.max_pool2d(x, 3, 2) if pool == "max" else F.lp_pool2d(x, 2, 3, stride=3)
        if f"{at}_pool_conv_w" in self._weights:
            pooled = self.layer(pooled, f"{at}_pool_conv", f"{at}_pool_bn")
        parts.append(pooled)
        if f"{at}_1x1_conv_w" in self._weights:
            parts.append(self.layer(x, f"{at}_1x1_conv", f"{at}_1x1_bn"))
        side = max(part.shape[2] for part in parts)
        return torch.cat([self._middle(part, side) for part in parts], 1)

    @staticmethod
    def _middle(part: Tensor, side: int) -> Tensor:
        low = (side - part.shape[2]) // 2
        high = side - part.shape[2] - low
        return F.pad(part, (low, high, low, high))

    def __call__(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.layer(x, "conv1", "bn1", stride=2, padding=3), 3, 2, 1)
        x = self.layer(F.local_response_norm(x, 5, 1e-4, 0.75), "conv2", "bn2")
        x = F.max_pool2d(F.local_response_norm(self.layer(x, "conv3", "bn3", padding=1), 5, 1e-4, 0.75), 3, 2, 1)
        for at, stride, pool in (("3a", 1, "max"), ("3b", 1, "l2"), ("3c", 2, "max"), ("4a", 1, "l2"), ("4e", 2, "max"),
                                 ("5a", 1, "l2"), ("5b", 1, "max")):  # fmt: skip
            x = self.module(x, at, stride, pool)
        x = F.avg_pool2d(x, 3).flatten(1)
        return F.normalize(x @ self._weights["dense_w"].T + self._weights["dense_b"])


def compared(weights: Arrays) -> float:
    torch.manual_seed(0)
    rgb = F.interpolate(torch.rand(2, 3, 12, 12), size=96, mode="bilinear")
    graph = openvino.Core().compile_model(openface_graph(weights), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = np.stack([graph(one[None].numpy())[0][0] for one in rgb])
    assert np.abs(found[0] - found[1]).max() > 0.003
    return float(np.abs(found - Published(weights)(rgb).numpy()).max())


def test_the_graph_computes_the_published_layers() -> None:
    assert compared(random_weights()) < 1e-4


@pytest.mark.data
def test_published_weights_give_the_published_layers(data_dir: Path) -> None:
    """The file holds all but five of the 224 parameters; those are made up."""
    weights = random_weights()
    with np.load(data_dir / "weights" / "openface_apache2" / "openface_nn4_small2_v1.npz", allow_pickle=False) as file:
        for name, shape in shapes().items():
            if name in file and file[name].size == math.prod(shape):
                weights[name] = file[name].astype(np.float32).reshape(shape)
    assert compared(weights) < 1e-3


@pytest.mark.data
def test_an_incomplete_openface_file_is_one_line(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="5 of 224 parameters are missing or incomplete, inception_3c_3x3"):
        read_openface(data_dir / "weights" / "openface_apache2" / "openface_nn4_small2_v1.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(OptionsError, match="not readable"):
        read_openface(tmp_path / "text.npz")
    np.savez(tmp_path / "whole.npz", **{name: one.ravel() for name, one in random_weights().items()})
    assert read_openface(tmp_path / "whole.npz")["conv3_w"].shape == (192, 64, 3, 3)
