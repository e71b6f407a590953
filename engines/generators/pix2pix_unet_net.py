"""Pix2PixUnet: the U-Net of pix2pix with exactly the layers of its published program."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="pix2pix_unet",
    network="Pix2PixUnet",
    paper="U-Net of Isola et al. 2017, arXiv:1611.07004",
    arguments={"channels": Argument(64, 4, 256), "depth": Argument(8, 2, 10), "dropout": Argument(50, 0, 100)},
    value_range=(-1, 1),
    step_px="depth",
    method="pix2pix",
    benchmarked=False,
)
_MAX_WIDENING = 8  # channels of the innermost layers, in multiples of the first layer's
_UNDROPPED = 5  # layers without dropout: the innermost one, and the four that change the number of channels


class Pix2PixUnet(nn.Module):
    """The U-Net of "Image-to-Image Translation with Conditional Adversarial Networks", appendix 6.1.1.

    Isola, Zhu, Zhou, Efros, CVPR 2017 (arXiv:1611.07004): 54.41 million parameters. It differs from `Pix2Pix` where
    the authors' PyTorch program differs from the paper: only the last layer has a bias, and the innermost decoder layer
    drops no values.

    Args:
        channels: Channels of the first layer (64 in the paper).
        depth: How many times the picture is halved: 8 in the paper, for 256x256.
        dropout: Percentage of values that inner decoder layers of full width drop in training (50 in the paper).
    """

    def __init__(self, channels: int = 64, depth: int = 8, dropout: int = 50) -> None:
        super().__init__()
        wide = [channels * min(2**i, _MAX_WIDENING) for i in range(depth)]
        ends = [3, *wide]
        self.down = nn.ModuleList(nn.Conv2d(ends[i], ends[i + 1], 4, 2, 1, bias=False) for i in range(depth))
        # No normalisation in the first and in the innermost layer: the latter may be a single pixel.
        normed = range(1, depth - 1)
        self.down_norms = nn.ModuleList(nn.BatchNorm2d(wide[i]) if i in normed else nn.Identity() for i in range(depth))
        inner = range(depth - 1, 0, -1)
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(wide[i] * (1 if i == depth - 1 else 2), wide[i - 1], 4, 2, 1, bias=False) for i in inner
        )
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(wide[i - 1]) for i in inner)
        self.dropped = range(1, 1 + max(0, depth - _UNDROPPED))
        self.dropout = dropout / 100
        self.out = nn.ConvTranspose2d(2 * wide[0], 3, 4, 2, 1)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the picture (N, 3, H, W) in -1..1 of RGB (N, 3, H, W) in -1..1."""
        x, skips = rgb, []
        for i, (down, norm) in enumerate(zip(self.down, self.down_norms, strict=True)):
            x = norm(down(F.leaky_relu(x, 0.2) if i else x))  #  N, C, H/2, W/2 to N, 8C, H / 2**depth, W / 2**depth
            skips.append(x)
        x = skips.pop()
        for i, (up, norm) in enumerate(zip(self.up, self.up_norms, strict=True)):
            x = norm(up(F.relu(x)))  #                           N, 8C, ... to N, C, H/2, W/2
            if i in self.dropped:
                x = F.dropout(x, self.dropout, self.training)
            x = torch.cat((skips.pop(), x), 1)  #                N, 16C, ... to N, 2C, H/2, W/2
        return self.out(F.relu(x)).tanh()  # type: ignore[no-any-return]  # N, 3, H, W
