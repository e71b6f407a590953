"""Losses between batches of pictures, (N, 3, H, W) RGB float, 0..1; they return scalar tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two batches of one shape."""
    return (output - target).abs().mean()


def gradient(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the image gradients, along x plus along y."""
    difference = output - target
    along_x = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    return along_x + (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()


def temporal(output: Tensor, shift_xy: Tensor) -> Tensor:
    """Return the mean absolute difference between two drawings of the same places: temporal consistency.

    Each view is moved by half the shift. Interpolation then softens both alike; if only one were moved, a softer
    drawing would have the smaller loss.

    Args:
        output: Picture i + N/2 shows at p what picture i shows at p + shift.
        shift_xy: (N/2, 2) pixels.
    """
    first, second = output[: len(shift_xy)], output[len(shift_xy) :]
    height, width = output.shape[2:]
    difference = _moved(first, shift_xy / 2) - _moved(second, -shift_xy / 2)
    margin = int(shift_xy.abs().max().ceil()) // 2 + 1
    return difference[..., margin : height - margin, margin : width - margin].abs().mean()


def _moved(pictures: Tensor, by_xy: Tensor) -> Tensor:
    """Return pictures (N, 3, H, W) that show at p what the given ones show at p + by, (N, 2) pixels; bilinear."""
    height, width = pictures.shape[2:]
    scale = torch.tensor([2 / width, 2 / height], device=by_xy.device, dtype=torch.float32)
    theta = torch.zeros((len(pictures), 2, 3), device=by_xy.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1
    theta[:, :, 2] = by_xy * scale
    grid = F.affine_grid(theta, list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)
