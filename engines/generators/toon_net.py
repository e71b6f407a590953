"""ToonNet: a U-Net that draws or retouches a face in a few milliseconds on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.layers import IdentityBlock
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="toon_net",
    network="ToonNet",
    paper="this project; sub-pixel convolution of Shi et al. 2016, arXiv:1609.05158",
    arguments={
        "channels": Argument(16, 4, 256),
        "deep": Argument(48, 4, 256),
        "blocks": Argument(3, 1, 64),
        "change": Argument(False),
    },
    outputs=("picture", "change"),
    step_px=8,
    optimiser="soap",
)


class ToonNet(nn.Module):
    """A fully convolutional U-Net of residual blocks at 1/2, 1/4 and 1/8 of the picture's resolution.

    - No layer runs at full resolution. The first has 4x4 filters at stride 2 and covers every pixel; the last computes
      all four pixels of each 2x2 square at once (sub-pixel convolution: Shi et al., 2016, arXiv:1609.05158, section
      3). A CPU is used well by few, wide layers, and lines stay sharp.
    - No normalisation over the picture: one part never changes the tone of another, and the background cannot cause
      flicker.
    - Up-sampling is learned (2x2 without overlap), so the network can draw patterns with a period of up to 8 pixels.
    - A direct layer from input to output makes a fresh network the identity: training learns the difference.

    Args:
        channels: Channels at 1/2 of the resolution; twice as many at 1/4.
        deep: Channels at 1/8.
        blocks: Residual blocks at 1/8. Each extends the field of view by 32 pixels.
        change: Return the change on the scale of the input instead of the finished picture.
    """

    def __init__(self, channels: int = 16, deep: int = 48, blocks: int = 3, change: bool = False) -> None:
        super().__init__()
        self.change = change
        self.straight = nn.Conv2d(3, 12, 2, stride=2)
        self.stem = nn.Conv2d(3, channels, 4, stride=2, padding=1)
        self.half_in = IdentityBlock(channels)
        self.to_quarter = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.quarter_in = IdentityBlock(2 * channels)
        self.to_eighth = nn.Conv2d(2 * channels, deep, 3, stride=2, padding=1)
        self.body = nn.Sequential(*(IdentityBlock(deep) for _ in range(blocks)))
        self.from_eighth = nn.ConvTranspose2d(deep, 2 * channels, 2, stride=2)
        self.quarter_out = IdentityBlock(2 * channels)
        self.from_quarter = nn.ConvTranspose2d(2 * channels, channels, 2, stride=2)
        self.half_out = IdentityBlock(channels)
        self.out = nn.Conv2d(channels, 12, 1)
        self._start_as_identity()

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture in 0..1 (not clipped in training), or its change, of RGB (N, 3, H, W) in 0..1."""
        x2 = self.half_in(F.relu(self.stem(rgb)))  #                N,  C, H/2, W/2
        x4 = self.quarter_in(F.relu(self.to_quarter(x2)))  #        N, 2C, H/4, W/4
        x8 = self.body(F.relu(self.to_eighth(x4)))  #               N,  D, H/8, W/8
        x4 = self.quarter_out(F.relu(x4 + self.from_eighth(x8)))  # N, 2C, H/4, W/4
        x2 = self.half_out(F.relu(x2 + self.from_quarter(x4)))  #   N,  C, H/2, W/2
        x2 = self.out(x2) + self.straight(rgb)  #                   N, 12, H/2, W/2
        picture: Tensor = F.pixel_shuffle(x2, 2)  #                 N,  3, H,   W
        return picture if self.training or self.change else picture.clamp(0, 1)  # clipping stops the gradient

    def _start_as_identity(self) -> None:
        """Initialise so that the picture is the input, or the change close to zero."""
        nn.init.normal_(self.out.weight, std=0.01)
        for layer in (self.out, self.straight):
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.straight.weight)
        if not self.change:
            with torch.no_grad():
                for colour in range(3):
                    for place in range(4):  # the order of pixel_shuffle: colour, row, column
                        self.straight.weight[4 * colour + place, colour, place // 2, place % 2] = 1.0
