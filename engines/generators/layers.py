"""Layers that several generators share."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def conv(into: int, out: int, size: int, stride: int = 1, *, bias: bool = False, reflect: bool = True) -> nn.Conv2d:
    """Return a convolution padded by `size // 2`, by reflection or with zeros."""
    padding = size // 2
    return nn.Conv2d(into, out, size, stride, padding, bias=bias, padding_mode="reflect" if reflect else "zeros")


def normed(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """Return the layer, instance normalisation and ReLU."""
    return nn.Sequential(layer, nn.InstanceNorm2d(layer.out_channels), nn.ReLU())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with instance normalisation, added to their input (He et al., 2016, arXiv:1512.03385)."""

    def __init__(self, channels: int, *, bias: bool) -> None:
        super().__init__()
        self.first = normed(conv(channels, channels, 3, bias=bias))
        self.second = nn.Sequential(conv(channels, channels, 3, bias=bias), nn.InstanceNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return x + self.second(self.first(x))  # type: ignore[no-any-return]


class IdentityBlock(nn.Module):
    """Two 3x3 convolutions added to their input. The second starts at zero: a fresh block is the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return F.relu(x + self.second(F.relu(self.first(x))))


def layer_instance_norm(x: Tensor, rho: Tensor) -> Tensor:
    """Mix instance (rho 1) and layer normalisation (rho 0) per channel: U-GAT-IT, arXiv:1907.10830, equation 1.

    Args:
        x: (N, C, H, W).
        rho: (1, C, 1, 1), 0..1.
    """
    return rho * F.instance_norm(x) + (1 - rho) * F.group_norm(x, 1)


class SteeredBlock(nn.Module):
    """A residual block whose two normalisations receive two more tensors, such as their scale and shift.

    Args:
        channels: Input and output channels.
        norm: Builds one normalisation for a number of channels. It is called with (x, one, other).
    """

    def __init__(self, channels: int, norm: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.first, self.second = conv(channels, channels, 3), conv(channels, channels, 3)
        self.first_norm, self.second_norm = norm(channels), norm(channels)

    def forward(self, x: Tensor, one: Tensor, other: Tensor) -> Tensor:
        """x (N, C, H, W) to the same shape; one and other: (N, C)."""
        inner = F.relu(self.first_norm(self.first(x), one, other))
        return x + self.second_norm(self.second(inner), one, other)  # type: ignore[no-any-return]


class LayerInstanceNorm(nn.Module):
    """LIN: layer-instance normalisation with learned scale and shift, in the decoder of U-GAT-IT."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        shape = (1, channels, 1, 1)
        self.rho = nn.Parameter(torch.zeros(shape))
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return layer_instance_norm(x, self.rho) * self.gamma + self.beta


def doubled(into: int, out: int) -> nn.Sequential:
    """Return nearest-neighbour up-sampling by 2, a 3x3 convolution, LIN and ReLU."""
    return nn.Sequential(nn.Upsample(scale_factor=2), conv(into, out, 3), LayerInstanceNorm(out), nn.ReLU())


class Attention(nn.Module):
    """Class activation attention of U-GAT-IT (section 2.1.1): weights each feature map by its auxiliary classifiers.

    The two weight vectors belong to classifiers over the maps' means and maxima. The classifiers' logits are needed in
    training only: `logits` computes them.

    Args:
        channels: Input and output channels.
        bias: Whether the two classifiers have a bias.
    """

    def __init__(self, channels: int, *, bias: bool = False) -> None:
        super().__init__()
        self.by_mean = nn.Parameter(torch.randn(1, channels, 1, 1) * channels**-0.5)
        self.by_most = nn.Parameter(torch.randn(1, channels, 1, 1) * channels**-0.5)
        self.biases = nn.Parameter(torch.zeros(2)) if bias else None
        self.narrow = nn.Conv2d(2 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        both = torch.cat((x * self.by_mean, x * self.by_most), 1)  # N, 2C, H, W
        return F.relu(self.narrow(both))  #                          N,  C, H, W

    def logits(self, x: Tensor) -> Tensor:
        """Return the logits of both classifiers, (N, 2), of the features (N, C, H, W) that `forward` receives."""
        means, most = x.mean((2, 3)), x.amax((2, 3))  # N, C each
        both = torch.stack(((means * self.by_mean.flatten()).sum(1), (most * self.by_most.flatten()).sum(1)), 1)
        return both if self.biases is None else both + self.biases
