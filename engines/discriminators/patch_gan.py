"""PatchGan: the 70x70 discriminator of pix2pix (Isola et al., CVPR 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PatchGan(nn.Module):
    """The conditional discriminator C64-C128-C256-C512: one logit per 70x70 patch, from input and output picture.

    Isola, Zhu, Zhou, Efros, "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017
    (arXiv:1611.07004), appendix 6.1.2. It receives both, so a realistic picture of another scene is rejected.

    Args:
        channels: Channels of the first layer (64 in the paper).
        norm: Batch normalisation as in the paper. Use False with a gradient penalty, which needs independent samples.
    """

    def __init__(self, channels: int = 64, norm: bool = True) -> None:
        super().__init__()
        c, bias = channels, not norm
        self.first = nn.Conv2d(6, c, 4, stride=2, padding=1)
        self.second = nn.Conv2d(c, 2 * c, 4, stride=2, padding=1, bias=bias)
        self.third = nn.Conv2d(2 * c, 4 * c, 4, stride=2, padding=1, bias=bias)
        self.fourth = nn.Conv2d(4 * c, 8 * c, 4, padding=1, bias=bias)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n * c) if norm else nn.Identity() for n in (2, 4, 8))
        self.verdict = nn.Conv2d(8 * c, 1, 4, padding=1)

    def forward(self, before_rgb: Tensor, picture_rgb: Tensor) -> Tensor:
        """Return (N, 1, H/8 - 2, W/8 - 2) logits, high for real pictures; both inputs (N, 3, H, W) RGB in 0..1."""
        x = torch.cat((before_rgb, picture_rgb), 1) * 2 - 1  #   N,  6, H,   W
        x = F.leaky_relu(self.first(x), 0.2)  #                  N,  C, H/2, W/2
        x = F.leaky_relu(self.norms[0](self.second(x)), 0.2)  #  N, 2C, H/4, W/4
        x = F.leaky_relu(self.norms[1](self.third(x)), 0.2)  #   N, 4C, H/8, W/8
        x = F.leaky_relu(self.norms[2](self.fourth(x)), 0.2)  #  N, 8C, H/8 - 1, W/8 - 1
        logits: Tensor = self.verdict(x)  #                      N,  1, H/8 - 2, W/8 - 2
        return logits
