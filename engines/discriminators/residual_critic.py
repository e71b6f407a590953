"""ResidualCritic: the discriminator of StyleGAN2."""

from __future__ import annotations

import itertools
import math

from torch import Tensor, nn

from engines.generators.noise_layers import (
    EqualConv,
    EqualLinear,
    Verdict,
    blur,
    feature_widths,
    halvings,
    lrelu,
    with_deviation,
)


class _Block(nn.Module):
    """Two convolutions and a skip, each low-passed before it is halved."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first, self.second = EqualConv(into, into, 3), EqualConv(into, out, 3, stride=2, padding=0)
        self.skip = EqualConv(into, out, 1, stride=2, padding=0, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H/2, W/2)."""
        inner = lrelu(self.second(blur(lrelu(self.first(x)), 2)))
        return (inner + self.skip(blur(x, 1))) / math.sqrt(2)  # type: ignore[no-any-return]


class ResidualCritic(nn.Module):
    """Residual blocks that halve the picture, then the deviation over groups of the batch and two layers.

    Karras et al., CVPR 2020 (arXiv:1912.04958), section 4.1, figure 7c.

    Args:
        side_px: Width and height of the pictures, a power of two.
        channels: Features of the smallest sizes (512 in the paper).
        classes: Length of the labels; 0 for none.
        multiplier: Factor of the features beyond `taper_px`, as in `StyleGan2`.
        taper_px: Size from which on features are halved with each doubling (32 in the paper).
    """

    def __init__(
        self, side_px: int = 64, channels: int = 512, classes: int = 0, multiplier: int = 2, taper_px: int = 32
    ) -> None:
        super().__init__()
        wide = feature_widths(channels, halvings(side_px), taper_px, multiplier)
        self.from_rgb = EqualConv(3, wide[-1], 1)
        pairs = list(itertools.pairwise(wide))
        self.blocks = nn.Sequential(*(_Block(out, into) for into, out in reversed(pairs)))
        self.last_conv = EqualConv(wide[0] + 1, wide[0], 3)
        self.last = EqualLinear(16 * wide[0], wide[0], active=True)
        self.verdict = Verdict(wide[0], classes)

    def forward(self, picture_rgb: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (N, 1 or 1 + classes) of RGB (N, 3, S, S) in 0..1 and labels (N, classes); see `Verdict`."""
        x = lrelu(self.from_rgb(picture_rgb * 2 - 1))  #              N, C, S, S
        x = with_deviation(self.blocks(x))  #                         N, C + 1, 4, 4
        x = self.last(lrelu(self.last_conv(x)).flatten(1))  #         N, C
        return self.verdict(x, label)  # type: ignore[no-any-return]
