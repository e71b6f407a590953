"""The cost of a network: multiply-accumulates and parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def gmac(net: nn.Module, size_wh: tuple[int, int], inputs: Sequence[Tensor] = ()) -> float:
    """Return the multiply-accumulates of all convolutions and matrix products for one RGB picture, in billions.

    Additions, activations and resizing are not counted.

    Args:
        net: Accepts (1, 3, H, W) on the device of its weights. A network on the meta device computes nothing.
        size_wh: Size of the picture, pixels.
        inputs: Inputs of a network that takes something else than one picture.
    """
    was_training, weight = net.training, next(net.parameters())
    picture = torch.zeros((1, 3, size_wh[1], size_wh[0]), device=weight.device, dtype=weight.dtype)
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net.eval()(*(inputs or (picture,)))
    finally:
        net.train(was_training)
    return float(counter.get_total_flops() / 2e9)


def parameters(net: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(weight.numel() for weight in net.parameters())
