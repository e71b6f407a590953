"""TransferNetwork: a photo in the style of any picture, in one pass (MicroAST)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_EPS = 1e-5
Signals = tuple[Tensor, ...]  # of one style, (1, 64, 1, 1) each; their weighted mean is a mixture of styles


class TransferNetwork(nn.Module):
    """Two small encoders, a decoder whose features take mean and deviation of the style, and a modulator.

    Wang et al., "MicroAST: Towards Super-Fast Ultra-Resolution Arbitrary Style Transfer", AAAI 2023 (arXiv:2211.15313),
    section 3. The parameters have the names of the published weights, https://github.com/EndyWon/MicroAST, after the
    name of their file.
    """

    def __init__(self) -> None:
        super().__init__()
        self.content_encoder, self.style_encoder = Encoder(), Encoder()
        self.modulator, self.decoder = Modulator(), Decoder()

    def signals(self, style_rgb: Tensor) -> Signals:
        """Return what is kept of a style picture, RGB (1, 3, H, W) in 0..1: its statistics and modulations."""
        last, first = self.style_encoder(style_rgb)
        return (*_statistics(last), *_statistics(first), *self.modulator(last, first))

    def forward(self, rgb: Tensor, signals: Signals) -> Tensor:
        """Return the painting (N, 3, H, W) in 0..1 of RGB in 0..1, whose sides are multiples of 4."""
        last_mean, last_deviation, first_mean, first_deviation, *weights = signals
        x, _ = self.content_encoder(rgb)  #                                                    N, 64, H/4, W/4
        x = self.decoder.dec1(_with_statistics(x, last_mean, last_deviation), *weights[2:])  # N, 64, H/4, W/4
        x = self.decoder.dec2(_with_statistics(x, first_mean, first_deviation), *weights[:2])
        painted: Tensor = self.decoder.dec3(x).clamp(0, 1)  #                                  N,  3, H,   W
        return painted


def mixed_signals(styles: Sequence[tuple[Signals, float]]) -> Signals:
    """Return the mean of several styles by their weights."""
    whole = sum(weight for _, weight in styles)
    parts = zip(*(signals for signals, _ in styles), strict=True)
    weights = [weight / whole for _, weight in styles]
    return tuple(torch.stack([w * one for w, one in zip(weights, part, strict=True)]).sum(0) for part in parts)


class Conv(nn.Module):
    """A convolution that repeats the border by reflection."""

    def __init__(self, into: int, out: int, size: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(
            into, out, size, stride, size // 2, groups=groups, padding_mode="reflect" if size > 1 else "zeros"
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, into, H, W) to (N, out, H / stride, W / stride)."""
        return self.conv_layer(x)  # type: ignore[no-any-return]


class Residual(nn.Module):
    """Two convolutions and a skip; a style weights convolution and skip of each (section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(64, 64, 3), Conv(64, 64, 3)

    def forward(self, x: Tensor, weight: Tensor | float = 1.0, skip: Tensor | float = 0.0) -> Tensor:
        """(N, 64, H, W) to the same shape."""
        inner = F.relu(weight * self.conv1(x) + skip * x)
        return weight * self.conv2(inner) + skip * inner + x  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Depthwise-separable convolutions to a quarter of the size, then two residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [Conv(3, 16, 9), nn.ReLU()]
        for into in (16, 32):
            layers += [Conv(into, 2 * into, 3, 2, groups=into), nn.ReLU(), Conv(2 * into, 2 * into, 1), nn.ReLU()]
        self.enc1 = nn.Sequential(*layers, Residual())
        self.enc2 = nn.Sequential(Residual())

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """RGB (N, 3, H, W) to the features after both blocks, the last ones first, (N, 64, H/4, W/4) each."""
        first = self.enc1(rgb)
        return self.enc2(first), first


class Modulator(nn.Module):
    """Mean of a depthwise convolution: the weights of convolution and skip in the decoder (section 3.2)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight1, self.bias1, self.weight2, self.bias2 = (
            nn.Sequential(Conv(64, 64, 3, groups=64), nn.AdaptiveAvgPool2d(1)) for _ in range(4)
        )

    def forward(self, last: Tensor, first: Tensor) -> tuple[Tensor, ...]:
        """Features (N, 64, H, W) of both blocks to four weights (N, 64, 1, 1)."""
        return self.weight1(first), self.bias1(first), self.weight2(last), self.bias2(last)


class Decoder(nn.Module):
    """Two residual blocks, then twice the size two times."""

    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = Residual(), Residual()
        layers: list[nn.Module] = []
        for into in (64, 32):
            out = into // 2
            layers += [nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)]
            layers += [Conv(into, out, 3, groups=out), nn.ReLU(), Conv(out, out, 1), nn.ReLU()]
        self.dec3 = nn.Sequential(*layers, Conv(16, 3, 9))


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    return x.mean((2, 3), keepdim=True), (x.var((2, 3), keepdim=True) + _EPS).sqrt()


def _with_statistics(x: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    own_mean, own_deviation = _statistics(x)
    return (x - own_mean) / own_deviation * deviation + mean
