"""Pix2Pix: the U-Net of Isola et al. (CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="pix2pix",
    network="Pix2Pix",
    paper="U-Net of Isola et al. 2017, arXiv:1611.07004",
    arguments={
        "channels": Argument(64, 4, 256),
        "depth": Argument(7, 2, 10),
        "dropout": Argument(50, 0, 100),
        "change": Argument(False),
    },
    outputs=("picture", "change"),
    value_range=(-1, 1),
    step_px="depth",
)
_MAX_WIDENING = 8  # channels of the innermost layers, in multiples of the first layer's
_DROPOUT_LAYERS = 3  # the innermost decoder layers


class _Down(nn.Module):
    """Leaky ReLU, a 4x4 convolution at stride 2, batch normalisation."""

    def __init__(self, into: int, out: int, *, norm: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, 4, stride=2, padding=1, bias=not norm)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/2, W/2)."""
        return self.norm(self.conv(F.leaky_relu(x, 0.2)))  # type: ignore[no-any-return]


class _Up(nn.Module):
    """ReLU, a transposed 4x4 convolution at stride 2, batch normalisation, dropout in training."""

    def __init__(self, into: int, out: int, *, dropout: float) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(into, out, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, 2H, 2W)."""
        return F.dropout(self.norm(self.conv(F.relu(x))), self.dropout, self.training)


class Pix2Pix(nn.Module):
    """The U-Net of "Image-to-Image Translation with Conditional Adversarial Networks", appendix 6.1.1.

    Isola, Zhu, Zhou, Efros, CVPR 2017 (arXiv:1611.07004).

    Args:
        channels: Channels of the first layer (64 in the paper).
        depth: How many times the picture is halved: 8 in the paper, which brings 256x256 to one pixel; 7 fits crops
            of 128x128.
        dropout: Percentage of values that the innermost decoder layers drop in training (50 in the paper).
        change: Return the change on a scale of 0..1 instead of the finished picture.
    """

    def __init__(self, channels: int = 64, depth: int = 7, dropout: int = 50, change: bool = False) -> None:
        super().__init__()
        wide = [channels * min(2**i, _MAX_WIDENING) for i in range(depth)]
        self.first = nn.Conv2d(3, wide[0], 4, stride=2, padding=1)
        # No normalisation in the innermost layer: its output may be a single pixel.
        self.down = nn.ModuleList(_Down(wide[i - 1], wide[i], norm=i < depth - 1) for i in range(1, depth))
        self.up = nn.ModuleList()
        for i in range(depth - 1, 0, -1):
            dropped = dropout / 100 * (depth - 1 - i < _DROPOUT_LAYERS)
            self.up.append(_Up(wide[i] * (1 if i == depth - 1 else 2), wide[i - 1], dropout=dropped))
        self.out = nn.ConvTranspose2d(2 * wide[0], 3, 4, stride=2, padding=1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture or its change, (N, 3, H, W) in -1..1, of RGB (N, 3, H, W) in -1..1."""
        skips = [self.first(rgb)]  #                   N,   C, H/2, W/2
        for down in self.down:
            skips.append(down(skips[-1]))  #           N,  2C, H/4, W/4 to N, 8C, H / 2**depth, W / 2**depth
        x = skips.pop()
        for up in self.up:
            x = torch.cat((up(x), skips.pop()), 1)  #  N, 16C, ... to N, 2C, H/2, W/2
        return self.out(F.relu(x)).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
