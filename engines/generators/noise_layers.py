"""Layers of the networks that make pictures from noise, shared by generators and discriminators."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_GROUP = 4  # pictures whose deviation is taken together: StyleGAN2, arXiv:1912.04958, appendix B


def halvings(side_px: int) -> int:
    """Return how often a picture is halved down to 4 pixels. Raises ValueError if its side is no power of two."""
    steps = side_px.bit_length() - 3
    if steps < 1 or side_px != 4 << steps:
        raise ValueError(f"side_px {side_px} is not a power of two from 8 on")
    return steps


def feature_widths(channels: int, steps: int, taper_px: int = 32, multiplier: int = 1) -> list[int]:
    """Return the features at 4, 8, 16... pixels: `channels` up to `taper_px`, then halved with each doubling.

    Args:
        multiplier: Factor of the features beyond `taper_px`, which stay at most `channels`.
    """
    sides = (4 << i for i in range(steps + 1))
    return [max(1, min(channels, channels * taper_px * multiplier // side)) for side in sides]


def lrelu(x: Tensor) -> Tensor:
    """Leaky ReLU of slope 0.2, scaled to keep the variance (He et al., 2015)."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def pixel_norm(x: Tensor) -> Tensor:
    """Divide each pixel by the root mean square over its channels: PGGAN, arXiv:1710.10196, section 4.2."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def joined(latent: Tensor, label: Tensor | None, classes: int) -> Tensor:
    """Return noise (N, latent) and labels (N, classes), zeros if there are none, side by side."""
    if not classes:
        return latent
    return torch.cat((latent, latent.new_zeros((len(latent), classes)) if label is None else label), 1)


class EqualLinear(nn.Module):
    """A matrix with equalised learning rate: PGGAN, section 4.1.

    The stored weights have unit variance; He's constant and the relative learning rate are applied in `forward`.

    Args:
        start: Initial bias.
        rate: Learning rate relative to that of other layers (0.01 in the mapping network of StyleGAN).
        active: Whether leaky ReLU follows.
    """

    def __init__(self, into: int, out: int, *, start: float = 0.0, rate: float = 1.0, active: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) / rate)
        self.bias = nn.Parameter(torch.full((out,), start))
        self.scale, self.rate, self.active = rate / math.sqrt(into), rate, active

    def forward(self, x: Tensor) -> Tensor:
        """(N, into) to (N, out)."""
        x = F.linear(x, self.weight * self.scale, self.bias * self.rate)
        return lrelu(x) if self.active else x


class EqualConv(nn.Module):
    """A convolution with equalised learning rate.

    Args:
        padding: Zeros at each border; by default half the size.
    """

    def __init__(
        self, into: int, out: int, size: int, *, stride: int = 1, padding: int | None = None, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, size, size))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.scale, self.stride = 1 / math.sqrt(into * size**2), stride
        self.padding = size // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H / stride, W / stride)."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def blur(x: Tensor, padding: int) -> Tensor:
    """Low-pass by 1-3-3-1 in both directions, with zeros around: H becomes H + 2 * padding - 3."""
    row = torch.tensor((0.125, 0.375, 0.375, 0.125), dtype=x.dtype, device=x.device)
    channels = x.shape[1]
    kernel = (row[:, None] * row).expand(channels, 1, 4, 4)
    return F.conv2d(x, kernel, padding=padding, groups=channels)


def doubled(x: Tensor) -> Tensor:
    """Enlarge by 2 with the same low-pass: bilinear, with zeros around instead of repeated borders."""
    wide = F.interpolate(F.pad(x, (1, 1, 1, 1)), scale_factor=2, mode="bilinear", align_corners=False)
    return wide[:, :, 2:-2, 2:-2]


def with_deviation(x: Tensor) -> Tensor:
    """Append a map of the standard deviation over groups of pictures: PGGAN, section 3.

    The deviation of each value over a group is averaged over all values: one number for each group.
    """
    count, channels, height, width = x.shape
    group = next(size for size in range(min(_GROUP, count), 0, -1) if count % size == 0)
    grouped = x.reshape(group, count // group, channels, height, width)
    spread = (grouped.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))  # N / group
    return torch.cat((x, spread.repeat(group)[:, None, None, None].expand(count, 1, height, width)), 1)


class Verdict(nn.Module):
    """The last layer of a discriminator: a logit, and with labels their agreement with the features.

    Miyato, Koyama, "cGANs with Projection Discriminator", ICLR 2018 (arXiv:1802.05637), equation 3. The agreement with
    each single class is a logit of a classifier (Odena, Olah, Shlens, arXiv:1610.09585, section 3).
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.logit = EqualLinear(features, 1)
        self.label = EqualLinear(classes, features) if classes else None

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits of features (N, features) and labels (N, classes), (N, 1), with labels (N, 1 + classes).

        The first one is the verdict; the others tell the class whatever the label is.
        """
        logits: Tensor = self.logit(x)
        if self.label is None or label is None:
            return logits
        ones = torch.eye(label.shape[1], dtype=x.dtype, device=x.device)
        told = F.linear(x, self.label(ones)) / math.sqrt(x.shape[1])  # N, classes
        return torch.cat((logits + (told * label).sum(1, keepdim=True), told), 1)


def faded(small: Tensor, large: Tensor, share: float) -> Tensor:
    """Mix pictures of half the size, enlarged, with those of the full size: PGGAN, section 2, figure 2."""
    if share >= 1:
        return large
    return torch.lerp(F.interpolate(small, scale_factor=2, mode="nearest"), large, share)


def stage(level: float) -> tuple[int, float]:
    """Return the newest block and its share of a network grown to `level`: 2.5 is block 3, faded in by half."""
    newest = math.ceil(level)
    return newest, level - newest + 1
