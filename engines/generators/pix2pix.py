"""Pix2Pix: the U-Net that made image-to-image translation popular."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_WIDEST = 8  # times the first layer's channels
_DROPPED = 3  # innermost decoder layers with dropout
_LEAST_DEPTH = 2


class _Down(nn.Module):
    def __init__(self, into: int, out: int, *, norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, 4, stride=2, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.conv(F.leaky_relu(x, 0.2)))  # type: ignore[no-any-return]


class _Up(nn.Module):
    def __init__(self, into: int, out: int, *, dropout: float) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(into, out, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(self.norm(self.conv(F.relu(x))), self.dropout, self.training)


class Pix2Pix(nn.Module):
    """The U-Net with skip connections of Isola et al., 2017 (arXiv:1611.07004, appendix 6.1.1).

    Args:
        channels: of the first layer (64 in the paper).
        depth: times the picture is halved; 8 in the paper, which brings 256x256 to one pixel. 7 fits crops of 128.
        dropout: percent of the values that the innermost decoder layers drop in training (50 in the paper).
        change: 0: return the finished picture, 1: return the change on the scale of the input.
    """

    def __init__(self, channels: int = 64, depth: int = 7, dropout: int = 50, change: int = 0) -> None:
        super().__init__()
        if depth < _LEAST_DEPTH:
            raise ValueError(f"depth {depth}: at least {_LEAST_DEPTH}")
        wide = [channels * min(2**i, _WIDEST) for i in range(depth)]
        self.change = bool(change)
        self.step_px = 2**depth  # width and height are multiples of it
        self.first = nn.Conv2d(3, wide[0], 4, stride=2, padding=1)
        # The innermost layer has no normalisation: it may be a single pixel.
        self.down = nn.ModuleList(_Down(wide[i - 1], wide[i], norm=i < depth - 1) for i in range(1, depth))
        self.up = nn.ModuleList(
            _Up(wide[i] * (1 if i == depth - 1 else 2), wide[i - 1], dropout=dropout / 100 * (depth - 1 - i < _DROPPED))
            for i in range(depth - 1, 0, -1)
        )
        self.out = nn.ConvTranspose2d(2 * wide[0], 3, 4, stride=2, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """The picture in 0..1, or its change in -1..1; RGB, H and W any multiple of 2**depth."""
        skips = [self.first(rgb * 2 - 1)]  #               N,  C, H/2, W/2
        for down in self.down:
            skips.append(down(skips[-1]))  #  N, 2C, H/4, W/4 ... N, 8C, H / 2**depth, W / 2**depth
        x = skips.pop()
        for up in self.up:
            x = torch.cat((up(x), skips.pop()), 1)  #      N, 16C, ... N, 2C, H/2, W/2
        out = self.out(F.relu(x)).tanh()  #                N,  3, H,   W
        return out if self.change else (out + 1) / 2  # type: ignore[no-any-return]
