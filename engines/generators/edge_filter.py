"""A filter without weights that makes nearly even areas even, for generators that draw."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_STEPS_PX = (1, 2)  # one pass each


def flattened(pictures: Tensor, contrast: float) -> Tensor:
    """Average each pixel with those of its neighbours that have nearly its colour; edges stay sharp.

    A convolution cannot return exactly one tone over a whole area: a faint trace of the photo's texture remains, by
    which a discriminator knows its pictures from flat drawings, and in which a cycle can hide the photo. The filter is
    the edge-avoiding a-trous filter of Dammertz et al. (High Performance Graphics 2010, section 2) with even weights.

    Args:
        pictures: (N, 3, H, W).
        contrast: Difference of colours that counts as an edge (sigma), on the scale of the pictures.
    """
    height, width = pictures.shape[2:]
    for step_px in _STEPS_PX:
        padded = F.pad(pictures, [step_px] * 4, mode="replicate")
        total, whole = pictures, torch.ones_like(pictures[:, :1])
        for top in range(0, 3 * step_px, step_px):
            for left in range(0, 3 * step_px, step_px):
                if top == left == step_px:
                    continue
                one = padded[:, :, top : top + height, left : left + width]  # N, 3, H, W
                squares = (one - pictures).square().sum(1, keepdim=True)  #    N, 1, H, W
                weight = torch.exp(squares / (-2 * contrast**2))
                total, whole = total + weight * one, whole + weight
        pictures = total / whole
    return pictures
