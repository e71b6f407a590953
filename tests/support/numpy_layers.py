"""Layers of networks in NumPy, to compute outputs independently of PyTorch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch import nn

Array = NDArray[np.float64]


def values(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


def weight_of(layer: nn.Module) -> Array:
    """The weight of a layer; with spectral norm, divided by the largest singular value, which is estimated here too."""
    names = dict(layer.named_parameters())
    if "weight" in names:
        return values(names["weight"])
    weight = values(names["parametrizations.weight.original"])
    return weight / np.linalg.norm(weight.reshape(len(weight), -1), 2)


def convolved(
    x: Array, layer: nn.Module, *, stride: int = 1, mode: str = "reflect", padding: int | None = None
) -> Array:
    """A convolution of (N, C, H, W), padded by half its size or by a number of pixels."""
    weight = weight_of(layer)
    side = weight.shape[-1] // 2 if padding is None else padding
    padded = np.pad(x, ((0, 0), (0, 0), (side, side), (side, side)), mode=mode)  # type: ignore[call-overload]
    windows = sliding_window_view(padded, weight.shape[2:], (2, 3))[:, :, ::stride, ::stride]
    out: Array = np.einsum("nchwij,ocij->nohw", windows, weight)
    bias = dict(layer.named_parameters()).get("bias")
    return out if bias is None else out + values(bias)[None, :, None, None]


def transposed(x: Array, layer: nn.Module, stride: int, padding: int, more: int) -> Array:
    """A transposed convolution: every input value adds its kernel to the output."""
    weight = values(layer.get_parameter("weight"))
    count, _, height, width = x.shape
    size = weight.shape[-1]
    out = np.zeros((count, weight.shape[1], (height - 1) * stride + size + more, (width - 1) * stride + size + more))
    for row in range(height):
        for column in range(width):
            kernel = np.einsum("nc,coij->noij", x[:, :, row, column], weight)
            out[:, :, row * stride : row * stride + size, column * stride : column * stride + size] += kernel
    out = out[:, :, padding : out.shape[2] - padding, padding : out.shape[3] - padding]
    bias = dict(layer.named_parameters()).get("bias")
    return out if bias is None else out + values(bias)[None, :, None, None]


def standardised(x: Array, axes: tuple[int, ...]) -> Array:
    out: Array = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    return out


def relu(x: Array) -> Array:
    return np.maximum(x, 0)


def instance(x: Array) -> Array:
    return standardised(x, (2, 3))


def linear(x: Array, layer: nn.Module) -> Array:
    bias = dict(layer.named_parameters()).get("bias")
    return x @ weight_of(layer).T + (0 if bias is None else values(bias))


def scattered(net: nn.Module, seed: int = 0) -> nn.Module:
    """All weights random, so that none hides an error by being 0 or 1; shares stay in 0..1."""
    torch.manual_seed(seed)
    for name, weight in net.named_parameters():
        if name.endswith(("rho", "share")):
            nn.init.uniform_(weight, 0.1, 0.9)
        elif weight.dim() == 1 or (name.endswith(("gamma", "beta")) and weight.dim() == 4):
            nn.init.uniform_(weight, 0.2, 0.8)
    return net.eval()
