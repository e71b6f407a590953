"""Losses between batches of pictures, (N, 3, H, W) RGB float, 0..1; they return scalar tensors."""

from __future__ import annotations

from torch import Tensor


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference."""
    return (output - target).abs().mean()


def gradient(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the image gradients, along x plus along y."""
    difference = output - target
    along_x = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    return along_x + (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
