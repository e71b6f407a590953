"""Perceptual loss: distance between VGG-19 features."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from engines.errors import OptionsError

_Weights = NDArray[np.float32]

# VGG-19 up to relu3_1, Simonyan & Zisserman, arXiv:1409.1556, table 1, column E: (out, in, followed by max pooling)
_VGG_LAYERS = ((64, 3, False), (64, 64, True), (128, 64, False), (128, 128, True), (256, 128, False))
_RETURNED = (0, 2, 4)  # relu1_1, relu2_1, relu3_1


class VggFeatures(nn.Module):
    """VGG-19's features at relu1_1, relu2_1 and relu3_1. The weights are buffers: they are never trained.

    Args:
        file: An npz with `N.weight` and `N.bias` in the order of the layers: a 1x1 convolution that maps RGB 0..1 to
            the network's own input range, then the five 3x3 convolutions.

    Raises:
        OptionsError: The file is not readable, or the shapes differ.
    """

    def __init__(self, file: Path) -> None:
        super().__init__()
        arrays = _arrays(file)
        shapes = [(3, 3, 1, 1), *((out, into, 3, 3) for out, into, _ in _VGG_LAYERS)]
        got = [weight.shape for weight, _ in arrays]
        if got != shapes or any(bias.shape != weight.shape[:1] for weight, bias in arrays):
            requested = f"VGG-19 up to relu3_1 in {file}"
            raise OptionsError(requested, f"its layers have the shapes {got}", f"expected {shapes}")
        for i, (weight, bias) in enumerate(arrays):
            self.register_buffer(f"weight{i}", torch.from_numpy(weight.astype(np.float32)))
            self.register_buffer(f"bias{i}", torch.from_numpy(bias.astype(np.float32)))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Map (N, 3, H, W) RGB 0..1 to (N, 64, H, W), (N, 128, H/2, W/2) and (N, 256, H/4, W/4)."""
        x = F.conv2d(rgb, self.get_buffer("weight0"), self.get_buffer("bias0"))
        features = []
        for i, (_, _, pooled) in enumerate(_VGG_LAYERS):
            x = F.pad(x, (1, 1, 1, 1), mode="reflect")
            x = F.relu(F.conv2d(x, self.get_buffer(f"weight{i + 1}"), self.get_buffer(f"bias{i + 1}")))
            if i in _RETURNED:
                features.append(x)
            if pooled:
                x = F.max_pool2d(x, 2)
        return features


def _arrays(file: Path) -> list[tuple[_Weights, _Weights]]:
    try:
        with np.load(file, allow_pickle=False) as archive:
            order = sorted({int(key.split(".")[0]) for key in archive.files})
            arrays = [(archive[f"{i}.weight"], archive[f"{i}.bias"]) for i in order]
        if not all(array.dtype.kind == "f" for layer in arrays for array in layer):
            raise ValueError("not all arrays hold floating-point numbers")
    except Exception as error:  # numpy raises exceptions of many types for a damaged npz
        do = "name an npz of VGG-19 weights with --vgg"
        raise OptionsError(f"VGG-19 weights {file}", str(error) or type(error).__name__, do) from error
    return arrays


def perceptual(vgg: VggFeatures, output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the features, relative to the target's features, averaged over layers.

    After Johnson et al., arXiv:1603.08155, section 3.2; relative, so that all layers have the same weight. Both batches
    are (N, 3, H, W) RGB 0..1.
    """
    with torch.no_grad():
        goals = vgg(target)
    parts = [
        (got - goal).abs().mean() / (goal.abs().mean() + 1e-6) for got, goal in zip(vgg(output), goals, strict=True)
    ]
    return torch.stack(parts).mean()
