"""Structural similarity (SSIM) as a loss: Wang et al. 2004."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

_WINDOW_PX, _STEP_PX = 7, 3  # a window at each pixel would take as long as the network
_C1, _C2 = 0.01**2, 0.03**2  # of values in 0..1


def dissimilarity(output: Tensor, target: Tensor) -> Tensor:
    """Return half of 1 - SSIM of each window, averaged over colours, (N, 1, h, w), of (N, 3, H, W) in 0..1."""

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, _WINDOW_PX, _STEP_PX)

    one, other = mean(output), mean(target)
    both, squares = mean(output * target) - one * other, one.square() + other.square()
    variances = mean(output.square() + target.square()) - squares
    ssim = (2 * one * other + _C1) * (2 * both + _C2) / ((squares + _C1) * (variances + _C2))
    return (1 - ssim).mean(1, keepdim=True) / 2


def at_windows(weight: Tensor) -> Tensor:
    """Return a weight (N, 1, H, W) at the middles of the windows, (N, 1, h, w)."""
    edge = _WINDOW_PX // 2
    return weight[..., edge:-edge:_STEP_PX, edge:-edge:_STEP_PX]
