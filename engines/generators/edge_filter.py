"""A filter without weights that makes nearly even areas even, for generators that draw."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))  # the other four neighbours are opposite ones, with the same weights


def flattened(pictures: Tensor, edge: float) -> Tensor:
    """Average each pixel with those of its neighbours that have nearly its colour; edges stay sharp.

    A convolution cannot return exactly one tone over a whole area: a faint trace of the photo's texture remains, by
    which a discriminator knows its pictures from flat drawings, and in which a cycle can hide the photo. The filter is
    the edge-avoiding a-trous filter of Dammertz et al. (High Performance Graphics 2010, section 2) with even weights.

    Args:
        pictures: (N, 3, H, W).
        edge: Difference of colours that counts as an edge (sigma), on the scale of the pictures; 0 for no filter.
    """
    if not edge:
        return pictures
    # Without an operation of another kind between them, TensorRT computes the first pass again for each neighbour of
    # the second, in one kernel that takes minutes to build. A product with the unit matrix changes nothing.
    same = torch.eye(3, dtype=pictures.dtype, device=pictures.device)
    once = (same @ _averaged(pictures, 1, edge).flatten(2)).reshape(pictures.shape)  # N, 3, H, W
    return _averaged(once, 2, edge)


def _averaged(pictures: Tensor, step: int, edge: float) -> Tensor:
    """Average with the eight neighbours at a distance of `step` pixels."""
    height, width = pictures.shape[2:]
    padded = F.pad(pictures, [step] * 4, mode="replicate")  # N, 3, H + 2 step, W + 2 step
    total, whole = pictures, torch.ones_like(pictures[:, :1])
    for down, right in _DIRECTIONS:
        down, right = down * step, right * step
        left = max(0, -right)
        rows, columns = height + down, width + abs(right)
        one = _cut(padded, step - down, step - max(0, right), rows, columns)
        other = _cut(padded, step, step - left, rows, columns)
        weights = torch.exp(-0.5 * ((other - one) / edge).square().sum(1, keepdim=True))  # of each pair of pixels
        for pixels, weight in (
            (_cut(padded, step + down, step + right, height, width), _cut(weights, down, max(0, right), height, width)),
            (_cut(padded, step - down, step - right, height, width), _cut(weights, 0, left, height, width)),
        ):
            total, whole = total + weight * pixels, whole + weight
    return total / whole  # N, 3, H, W


def _cut(planes: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    return planes[:, :, top : top + height, left : left + width]
