"""PgGan: the progressively grown generator."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import (
    EqualConv,
    EqualLinear,
    faded,
    feature_widths,
    halvings,
    joined,
    lrelu,
    pixel_norm,
    stage,
)
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="pggan",
    network="PgGan",
    paper="Karras et al. 2018, arXiv:1710.10196",
    arguments={
        "latent": Argument(512, 2, 1024),
        "side_px": Argument(64, 8, 1024),
        "channels": Argument(512, 4, 1024),
        "classes": Argument(0, 0, 1000),
        "taper_px": Argument(32, 4, 1024),
    },
    inputs=("latent",),
    value_range=(-1, 1),
    output_size="fixed",
    method="pggan",
    benchmarked=False,
)


class PgGan(nn.Module):
    """Blocks of two convolutions at 4, 8, 16... pixels, which are faded in one after the other.

    Karras et al., "Progressive Growing of GANs", ICLR 2018 (arXiv:1710.10196), section 2 and appendix A, table 2:
    nearest-neighbour enlargement, leaky ReLU and pixel normalisation after each convolution, a linear 1x1 convolution
    to colours at each size, equalised learning rate everywhere.

    Args:
        latent: Numbers of noise.
        side_px: Width and height of the picture, a power of two.
        channels: Features of the smallest sizes (512 in the paper).
        classes: Length of the labels that are appended to the noise; 0 for none.
        taper_px: Size from which on features are halved with each doubling (32 in the paper).

    Attributes:
        level: Number of blocks in use beyond the first. The part after the point is the share of the newest block;
            pictures then have its size. Training raises it; a finished network has all blocks in full.
    """

    def __init__(
        self, latent: int = 512, side_px: int = 64, channels: int = 512, classes: int = 0, taper_px: int = 32
    ) -> None:
        super().__init__()
        self.latent, self.classes, steps = latent, classes, halvings(side_px)
        self.level = float(steps)
        wide = feature_widths(channels, steps, taper_px)
        self.first = EqualLinear(latent + classes, 16 * wide[0])
        self.first_conv = EqualConv(wide[0], wide[0], 3)
        pairs = list(itertools.pairwise(wide))
        self.widening = nn.ModuleList([EqualConv(into, out, 3) for into, out in pairs])
        self.refining = nn.ModuleList([EqualConv(out, out, 3) for _, out in pairs])
        self.to_rgb = nn.ModuleList([EqualConv(width, 3, 1) for width in wide])

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the picture (N, 3, S, S) around -1..1 of noise (N, latent) and labels (N, classes)."""
        newest, share = stage(self.level)
        x = self.first(joined(pixel_norm(latent), label, self.classes))  # N, 16C
        x = pixel_norm(lrelu(x.unflatten(1, (-1, 4, 4))))  #               N, C, 4, 4
        x = before = pixel_norm(lrelu(self.first_conv(x)))
        for i in range(newest):
            before = x
            x = F.interpolate(x, scale_factor=2, mode="nearest")  #        N, C, 2H, 2W
            x = pixel_norm(lrelu(self.widening[i](x)))  #                  N, C', 2H, 2W
            x = pixel_norm(lrelu(self.refining[i](x)))
        picture: Tensor = self.to_rgb[newest](x)  #                        N, 3, S, S
        return faded(self.to_rgb[newest - 1](before), picture, share) if share < 1 else picture
