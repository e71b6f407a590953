"""Augmentation that does not leak into the generator's pictures (ADA: Karras et al. 2020, arXiv:2006.06676)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

_ZOOM, _TURN, _SHIFT = 0.2, 0.5, 0.125  # deviations in octaves, part of half a turn, part of the side: appendix B
_BRIGHTER, _CONTRAST, _HUE = 0.1, 0.35, 0.25


def augmented(pictures_rgb: Tensor, chance: Tensor) -> Tensor:
    """Turn, mirror, move, enlarge and recolour pictures; each kind of change is applied with a probability below 1.

    Each change is skipped with a positive probability, so the distribution of the unchanged pictures follows from that
    of the changed ones, and samples show no changes: section 2.2 of the paper.

    Args:
        pictures_rgb: (N, 3, H, W) in 0..1; gradients pass through.
        chance: Probability of each change, one number, below 0.9.
    """
    count, like = len(pictures_rgb), pictures_rgb

    def drawn(size: float = 1.0) -> Tensor:
        """A normal variable for each picture; 0 where the change is not applied."""
        return torch.randn(count, device=like.device) * size * (torch.rand(count, device=like.device) < chance)

    def flag() -> Tensor:
        """1 or, where the change is applied, -1 half of the time."""
        both = (torch.rand(count, device=like.device) < chance) & (torch.rand(count, device=like.device) < 0.5)
        return 1 - 2 * both.float()

    angle, zoom, stretch = drawn(_TURN * math.pi / 3), torch.exp2(drawn(_ZOOM)), torch.exp2(drawn(_ZOOM))
    cos, sin, wide = angle.cos() * zoom, angle.sin() * zoom, flag() * stretch
    rows = (
        torch.stack((cos * wide, -sin, drawn(2 * _SHIFT)), 1),
        torch.stack((sin * wide, cos, drawn(2 * _SHIFT)), 1),
    )
    grid = F.affine_grid(torch.stack(rows, 1).to(like.dtype), list(like.shape), align_corners=False)
    moved = F.grid_sample(like, grid, padding_mode="reflection", align_corners=False)
    return _recoloured(moved, drawn(_BRIGHTER), torch.exp2(drawn(_CONTRAST)), drawn(_HUE * math.pi))


def _recoloured(rgb: Tensor, brighter: Tensor, contrast: Tensor, hue: Tensor) -> Tensor:
    """Scale and shift all colours, and turn them around the grey axis; each (N,)."""
    third, cos, sin = 1 / 3, hue.cos(), hue.sin() / math.sqrt(3)
    keep, one, two = third + cos * 2 / 3, third - cos * third - sin, third - cos * third + sin
    turn = torch.stack((keep, one, two, two, keep, one, one, two, keep), 1).reshape(-1, 3, 3)
    turned = torch.einsum("nij,njhw->nihw", turn.to(rgb.dtype), rgb - 0.5)
    return turned * contrast[:, None, None, None] + brighter[:, None, None, None] + 0.5
