"""The cost of a network: multiply-accumulates and parameters."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def gmac(net: nn.Module, size_wh: tuple[int, int]) -> float:
    """Return the multiply-accumulates of all convolutions and linear layers for one RGB picture, in billions.

    Forward hooks count the layers as they run. Additions, activations and resizing are not counted.

    Args:
        net: Accepts (1, 3, H, W) on the device of its weights. A network on the meta device computes nothing.
        size_wh: Size of the picture, pixels.
    """
    total = 0

    def count(layer: nn.Module, inputs: tuple[Any, ...], out: Tensor) -> None:
        nonlocal total
        weight = layer.weight
        assert isinstance(weight, Tensor)
        # A transposed convolution applies one filter to every input value, all others compute one for every output.
        places = inputs[0].numel() if isinstance(layer, nn.ConvTranspose2d) else out.numel()
        total += places * weight[0].numel()

    kinds = (nn.modules.conv._ConvNd, nn.Linear)
    hooks = [layer.register_forward_hook(count) for layer in net.modules() if isinstance(layer, kinds)]
    was_training = net.training
    weights = next(net.parameters())
    try:
        with torch.no_grad():
            net.eval()(torch.zeros((1, 3, size_wh[1], size_wh[0]), device=weights.device, dtype=weights.dtype))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return total / 1e9


def parameters(net: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(weight.numel() for weight in net.parameters())
