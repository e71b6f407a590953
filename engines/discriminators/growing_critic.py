"""GrowingCritic: the progressively grown discriminator of PGGAN and StyleGAN."""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from engines.generators.noise_layers import (
    EqualConv,
    EqualLinear,
    Verdict,
    feature_widths,
    halvings,
    lrelu,
    stage,
    with_deviation,
)


class GrowingCritic(nn.Module):
    """The generator mirrored: two convolutions for each size, then the deviation over the batch and two layers.

    Karras et al., ICLR 2018 (arXiv:1710.10196), appendix A, table 2.

    Args:
        side_px: Width and height of the pictures, a power of two.
        channels: Features of the smallest sizes (512 in the paper).
        classes: Length of the labels; 0 for none.
        taper_px: Size from which on features are halved with each doubling (32 in the paper).

    Attributes:
        level: Blocks in use, as in `engines.generators.pggan_net.PgGan`. Pictures have the size of the newest block.
    """

    def __init__(self, side_px: int = 64, channels: int = 512, classes: int = 0, taper_px: int = 32) -> None:
        super().__init__()
        steps = halvings(side_px)
        self.level = float(steps)
        wide = feature_widths(channels, steps, taper_px)
        self.from_rgb = nn.ModuleList([EqualConv(3, width, 1) for width in wide])
        pairs = list(itertools.pairwise(wide))
        self.refining = nn.ModuleList([EqualConv(out, out, 3) for _, out in pairs])
        self.narrowing = nn.ModuleList([EqualConv(out, into, 3) for into, out in pairs])
        self.last_conv = EqualConv(wide[0] + 1, wide[0], 3)
        self.last = EqualLinear(16 * wide[0], wide[0], active=True)
        self.verdict = Verdict(wide[0], classes)

    def forward(self, picture_rgb: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (N, 1 or 1 + classes) of RGB (N, 3, S, S) in 0..1 and labels (N, classes); see `Verdict`."""
        newest, share = stage(self.level)
        picture = picture_rgb * 2 - 1
        x = lrelu(self.from_rgb[newest](picture))  #                        N, C, S, S
        for i in reversed(range(newest)):
            x = lrelu(self.narrowing[i](lrelu(self.refining[i](x))))  #     N, C', S, S
            x = F.avg_pool2d(x, 2)  #                                       N, C', S/2, S/2
            if i == newest - 1 and share < 1:
                x = lrelu(self.from_rgb[i](F.avg_pool2d(picture, 2))).lerp(x, share)
        x = lrelu(self.last_conv(with_deviation(x)))  #                     N, C, 4, 4
        return self.verdict(self.last(x.flatten(1)), label)  # type: ignore[no-any-return]
