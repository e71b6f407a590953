"""The one place where BGR bytes become RGB floats and back: built into the graph of every runtime."""

from __future__ import annotations

from torch import Tensor, nn


class Door(nn.Module):
    """A generator with its door: uint8 BGR pictures in, float BGR in steps of 1/255 out."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, regions_bgr: Tensor) -> Tensor:
        """(N, H, W, 3) uint8 -> (N, H, W, 3) float32."""
        rgb = regions_bgr.flip(-1).permute(0, 3, 1, 2).float() / 255.0  # (N, 3, H, W)
        out: Tensor = self.generator(rgb)  # (N, 3, H, W)
        return (out * 255.0).permute(0, 2, 3, 1).flip(-1)  # (N, H, W, 3)
