"""Losses between pictures, computed on pixels."""

from __future__ import annotations

from torch import Tensor


def l1(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of two batches (N, 3, H, W)."""
    return (output - target).abs().mean()


def gradient(output: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute difference of the image gradients of two batches (N, 3, H, W), along x plus along y."""
    difference = output - target
    along_x = (difference[..., 1:] - difference[..., :-1]).abs().mean()
    return along_x + (difference[..., 1:, :] - difference[..., :-1, :]).abs().mean()
