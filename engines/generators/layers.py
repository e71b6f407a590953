"""Layers that several of the networks in `benchmarks.peers` share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(into: int, out: int, size: int, stride: int = 1, *, bias: bool = False, reflect: bool = True) -> nn.Conv2d:
    """A convolution that keeps the picture's size, or divides it by the stride; its rim mirrored, or black."""
    rim = size // 2
    return nn.Conv2d(into, out, size, stride, rim, bias=bias, padding_mode="reflect" if reflect else "zeros")


def normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """The layer, instance normalisation, ReLU."""
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels), nn.ReLU())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation, added to their input (He et al., 2016, arXiv:1512.03385)."""

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.first = normed(conv(channels, channels, 3, bias=bias))
        self.second = nn.Sequential(conv(channels, channels, 3, bias=bias), nn.InstanceNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """N, C, H, W -> the same."""
        return x + self.second(self.first(x))  # type: ignore[no-any-return]


def layer_instance_norm(x: Tensor, rho: Tensor) -> Tensor:
    """Between instance (rho 1) and layer normalisation (rho 0), by channel: U-GAT-IT, arXiv:1907.10830, equation 1.

    Args:
        x: (N, C, H, W).
        rho: (1, C, 1, 1), 0..1.
    """
    return rho * F.instance_norm(x) + (1 - rho) * F.group_norm(x, 1)


class SteeredBlock(nn.Module):
    """A residual block whose normalisation takes two more values: what it is scaled and shifted by, or comes from.

    Args:
        channels: in and out.
        norm: makes one of the two normalisations for so many channels.
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels, 3), conv(channels, channels, 3)
        self.first_norm, self.second_norm = norm(channels), norm(channels)

    def forward(self, x: Tensor, one: Tensor, other: Tensor) -> Tensor:
        """x: N, C, H, W -> the same; one and other: N, C."""
        inner = F.relu(self.first_norm(self.first(x), one, other))
        return x + self.second_norm(self.second(inner), one, other)  # type: ignore[no-any-return]


class LayerInstanceNorm(nn.Module):
    """The mixed normalisation with a learned scale and shift: LIN, in the up-sampling part of U-GAT-IT."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        shape = (1, channels, 1, 1)
        self.rho = nn.Parameter(torch.zeros(shape))
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """N, C, H, W -> the same."""
        return layer_instance_norm(x, self.rho) * self.gamma + self.beta


def doubled(into: int, out: int) -> nn.Sequential:
    """Twice the resolution: every pixel repeated, then a 3x3 convolution, LIN, ReLU."""
    return nn.Sequential(nn.Upsample(scale_factor=2), conv(into, out, 3), LayerInstanceNorm(out), nn.ReLU())


class Attention(nn.Module):
    """Class activation maps of U-GAT-IT (section 2.1.1): each map weighted by what it says of the picture's domain.

    The two weight vectors belong to classifiers of the maps' means and maxima. What the classifiers say trains the
    network and is not needed for the picture: it is left out, and with it the pooling.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.by_mean = nn.Parameter(torch.randn(1, channels, 1, 1) * channels**-0.5)
        self.by_most = nn.Parameter(torch.randn(1, channels, 1, 1) * channels**-0.5)
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """N, C, H, W -> the same."""
        both = torch.cat((x * self.by_mean, x * self.by_most), 1)  # N, 2C, H, W
        return F.relu(self.narrow(both))  #                          N,  C, H, W
