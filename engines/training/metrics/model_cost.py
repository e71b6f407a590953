"""What a network costs: multiply-accumulates and weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def gmac(net: nn.Module, size_wh: tuple[int, int]) -> float:
    """Multiply-accumulates of all convolutions and matrix products for one RGB picture, in billions.

    Counted by forward hooks on the layers as they run; additions, activations and resizing are not counted.

    Args:
        net: takes (1, 3, H, W) on the device of its weights.
        size_wh: of the picture, pixels.
    """
    counted = 0

    def count(layer: nn.Module, given: tuple[Any, ...], out: Tensor) -> None:
        nonlocal counted
        weight = layer.weight
        assert isinstance(weight, Tensor)
        # A transposed convolution spreads every input value over one filter; the others make every output from one.
        places = given[0].numel() if isinstance(layer, nn.ConvTranspose2d) else out.numel()
        counted += places * weight[0].numel()

    hooks = [
        m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.modules.conv._ConvNd, nn.Linear))
    ]
    was_training = net.training
    weights = next(net.parameters())
    try:
        with torch.no_grad():
            net.eval()(torch.zeros((1, 3, size_wh[1], size_wh[0]), device=weights.device, dtype=weights.dtype))
    finally:
        net.train(was_training)
        for hook in hooks:
            hook.remove()
    return counted / 1e9


def parameters(net: nn.Module) -> int:
    """How many weights the network has."""
    return sum(weight.numel() for weight in net.parameters())
