"""ToonNet: draws a face region in a few milliseconds on a processor; for drawn styles and for retouching."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Block(nn.Module):
    """Two 3x3 convolutions added to their input; a fresh one changes nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(F.relu(self.first(x))))


class ToonNet(nn.Module):
    """A fully convolutional U-Net of residual blocks at 1/2, 1/4 and 1/8 of the picture's resolution.

    Nothing runs at full resolution: the first layer's 4x4 filters at stride 2 take in all four pixels of each 2x2
    square, and the last layer makes all four at once (sub-pixel convolution: Shi et al., 2016, arXiv:1609.05158), so
    lines stay crisp and a processor is kept busy with few, wide layers. There is no normalisation over the picture:
    one part of it never changes the tone of another, and nothing flickers with the background. Up-sampling is learned
    (2x2, without overlap), so the net knows where in its grid of 8x8 pixels it is: it can hatch. One layer takes the
    picture straight to the end, each 2x2 square as 12 numbers: the net begins as a copy, and learns what to change.

    Args:
        channels: at 1/2 of the resolution; twice as many at 1/4.
        deep: channels at 1/8.
        blocks: residual blocks at 1/8, which see 32 pixels farther each.
        change: 0: return the finished picture, 1: return the change on the scale of the input.
    """

    step_px = 8  # width and height are multiples of it

    def __init__(self, channels: int = 16, deep: int = 48, blocks: int = 3, change: int = 0) -> None:
        super().__init__()
        self.change = bool(change)
        self.straight = nn.Conv2d(3, 12, 2, stride=2)
        self.stem = nn.Conv2d(3, channels, 4, stride=2, padding=1)
        self.half_in = _Block(channels)
        self.to_quarter = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.quarter_in = _Block(2 * channels)
        self.to_eighth = nn.Conv2d(2 * channels, deep, 3, stride=2, padding=1)
        self.body = nn.Sequential(*(_Block(deep) for _ in range(blocks)))
        self.from_eighth = nn.ConvTranspose2d(deep, 2 * channels, 2, stride=2)
        self.quarter_out = _Block(2 * channels)
        self.from_quarter = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.half_out = _Block(channels)
        self.out = nn.Conv2d(channels, 12, 1)
        _begin_untouched(self)

    def forward(self, rgb: Tensor) -> Tensor:
        """The picture in 0..1 (in training not clipped), or its change; RGB, H and W any multiple of 8."""
        x2 = self.half_in(F.relu(self.stem(rgb)))  #              N,  C, H/2, W/2
        x4 = self.quarter_in(F.relu(self.to_quarter(x2)))  #      N, 2C, H/4, W/4
        x8 = self.body(F.relu(self.to_eighth(x4)))  #             N,  D, H/8, W/8
        x4 = self.quarter_out(F.relu(x4 + self.from_eighth(x8)))  # N, 2C, H/4, W/4
        x2 = self.half_out(F.relu(x2 + self.from_quarter(x4)))  # N,  C, H/2, W/2
        x2 = self.out(x2) + self.straight(rgb)  #                 N, 12, H/2, W/2
        picture: Tensor = F.pixel_shuffle(x2, 2)  #               N,  3, H,   W
        return picture if self.training or self.change else picture.clamp(0, 1)  # a clipped colour would learn no more


def _begin_untouched(net: ToonNet) -> None:
    """A fresh net's picture is its input, and its change next to nothing."""
    nn.init.normal_(net.out.weight, std=0.01)
    for layer in (net.out, net.straight):
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    nn.init.zeros_(net.straight.weight)
    if not net.change:
        with torch.no_grad():
            for colour in range(3):
                for place in range(4):  # as pixel_shuffle orders them: colour, row, column
                    net.straight.weight[4 * colour + place, colour, place // 2, place % 2] = 1.0
