"""Conversion between BGR regions and a generator's RGB channels, as part of the network."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class IoAdapter(nn.Module):
    """A generator that takes uint8 BGR pictures and returns float BGR, or planes, in steps of 1/255."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator
        self.swapped: Tensor
        self.register_buffer("swapped", torch.tensor([2, 1, 0]), persistent=False)  # B <-> R

    def forward(self, regions_bgr: Tensor) -> Tensor:
        """Convert (N, H, W, 3) uint8 BGR, 0..255, to the generator's output, (N, H, W, 3) float32 BGR.

        Planes of a drawing stay as the generator returns them, (N, 12, H/2, W/2).
        """
        planes_rgb = regions_bgr.permute(0, 3, 1, 2).index_select(1, self.swapped)  # faster than a flip in OpenVINO
        out: Tensor = self.generator(planes_rgb.float() / 255.0)  # (N, 3, H, W)
        if out.shape[1] != len(self.swapped):
            return out * 255.0
        return (out * 255.0).index_select(1, self.swapped).permute(0, 2, 3, 1)  # (N, H, W, 3)
