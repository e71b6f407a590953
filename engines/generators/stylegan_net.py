"""StyleGan: the style-based generator, with AdaIN and progressive growing."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import EqualConv, EqualLinear, faded, feature_widths, lrelu, stage
from engines.generators.spec import Argument, GeneratorSpec
from engines.generators.style_layers import Noise, Styled

SPEC = GeneratorSpec(
    name="stylegan",
    network="StyleGan",
    paper="Karras, Laine, Aila 2019, arXiv:1812.04948",
    arguments={
        "latent": Argument(512, 2, 1024),
        "side_px": Argument(64, 8, 1024),
        "channels": Argument(512, 4, 1024),
        "classes": Argument(0, 0, 1000),
        "mapping": Argument(8, 1, 8),
        "taper_px": Argument(32, 4, 1024),
    },
    inputs=("latent",),
    value_range=(-1, 1),
    output_size="fixed",
    method="stylegan",
    benchmarked=False,
)


def adain(x: Tensor, style: Tensor) -> Tensor:
    """Give each map (N, C, H, W) the mean and the deviation that the style (N, 2C) sets: equation 1 of the paper."""
    scale, shift = style[:, :, None, None].chunk(2, 1)
    return F.instance_norm(x) * (scale + 1) + shift


class Epilogue(nn.Module):
    """What follows each convolution: noise, bias, leaky ReLU, AdaIN (figure 1b)."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.noise, self.bias = Noise(channels), nn.Parameter(torch.zeros(channels))
        self.style = EqualLinear(latent, 2 * channels)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """X (N, C, H, W) to the same shape; style (N, latent)."""
        return adain(lrelu(self.noise(x, noise) + self.bias[:, None, None]), self.style(style))


class StyleGan(Styled):
    """A learned constant at 4x4, and two styled convolutions for each size.

    Karras, Laine, Aila, "A Style-Based Generator Architecture for GANs", CVPR 2019 (arXiv:1812.04948), section 2 and
    table 1, configuration F: mapping network, AdaIN, constant input, noise, style mixing (in training), bilinear
    filtering, and the growing of PGGAN.

    Args:
        latent: Numbers of noise and of a style.
        side_px: Width and height of the picture, a power of two.
        channels: Features of the smallest sizes (512 in the paper).
        classes: Length of the labels that are appended to the noise; 0 for none.
        mapping: Layers of the mapping network (8 in the paper).
        taper_px: Size from which on features are halved with each doubling (32 in the paper).
    """

    def __init__(
        self,
        latent: int = 512,
        side_px: int = 64,
        channels: int = 512,
        classes: int = 0,
        mapping: int = 8,
        taper_px: int = 32,
    ) -> None:
        super().__init__(latent, side_px, classes, mapping, first=0)
        wide = feature_widths(channels, self.steps, taper_px)
        self.constant = nn.Parameter(torch.ones(1, wide[0], 4, 4))
        pairs = list(itertools.pairwise(wide))
        convs = [EqualConv(wide[0], wide[0], 3, bias=False)]
        for into, out in pairs:
            convs += [EqualConv(into, out, 3, bias=False), EqualConv(out, out, 3, bias=False)]
        self.convs = nn.ModuleList(convs)
        self.epilogues = nn.ModuleList([Epilogue(width, latent) for width in wide for _ in range(2)])
        self.to_rgb = nn.ModuleList([EqualConv(width, 3, 1) for width in wide])

    def synthesis(self, styles: Tensor, noise: str = "constant") -> Tensor:
        """Return pictures (N, 3, S, S) around -1..1 of the styles of all layers (N, layers, latent)."""
        newest, share = stage(self.level)
        x = before = self.constant.repeat(len(styles), 1, 1, 1)  #  N, C, 4, 4
        for i in range(2 * newest + 2):
            if i and i % 2 == 0:
                before, x = x, F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            if i:
                x = self.convs[i - 1](x)  #                            N, C', 2H, 2W
            x = self.epilogues[i](x, styles[:, i], self.noise(i, x, noise))
        picture: Tensor = self.to_rgb[newest](x)  #                    N, 3, S, S
        return faded(self.to_rgb[newest - 1](before), picture, share) if share < 1 else picture
