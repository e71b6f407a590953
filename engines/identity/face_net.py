"""FaceNet: the network of the embedded face recognition, small residual stages and an embedding of length 1."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FEATURES = 256
_WIDTHS, _BLOCKS = (24, 40, 64, 128), (0, 1, 3, 1)  # of the four stages, each of half the size of the one before


class _Residual(nn.Module):
    """Two convolutions whose result is added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(channels, channels), *_convolution(channels, channels)[:-1])
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.act(x + self.body(x))
        return out


class FaceNet(nn.Module):
    """Maps aligned face crops to embeddings whose squared distances tell persons apart (arXiv:1503.03832).

    0.69 M parameters and 0.09 GMAC for a crop of 112x112 pixels. The last map is reduced by one weight for each place
    and channel, as in MobileFaceNet (arXiv:1804.07573): the places of an aligned face differ in importance.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width, blocks in zip(_WIDTHS, _BLOCKS, strict=True):
            layers += [*_convolution(before, width, stride=2), *(_Residual(width) for _ in range(blocks))]
            before = width
        layers += [nn.Conv2d(before, before, 7, groups=before, bias=False), nn.BatchNorm2d(before)]
        self.layers = nn.Sequential(*layers)
        self.embedding = nn.Linear(before, FEATURES)

    def forward(self, crops_rgb: Tensor) -> Tensor:
        """Return embeddings (N, 256) of length 1 of RGB crops (N, 3, 112, 112) in 0..255."""
        maps = self.layers((crops_rgb - 127.5) / 127.5)  # N, 128, 1, 1
        return F.normalize(self.embedding(maps.flatten(1)).float())


class SpreadFaceNet(nn.Module):
    """A trained network whose embeddings are centred, and spread more evenly over their directions.

    Embeddings of a distilled network lie around a common direction. Their mean over many persons is subtracted, and
    each principal direction is divided by the fourth root of its variance.

    Args:
        net: The trained network.
        embeddings: (persons, 256), of length 1.
        features: Number of directions that are kept.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, net: nn.Module, embeddings: Tensor, features: int = 128) -> None:
        super().__init__()
        self.net = net
        mean = embeddings.mean(0)
        variances, directions = torch.linalg.eigh(torch.cov((embeddings - mean).T))
        spread = (variances.clamp_min(0) + 1e-3 * variances.max()) ** -0.25
        self.register_buffer("mean", mean)
        self.register_buffer("directions", (directions * spread)[:, -features:].contiguous())

    def forward(self, crops_rgb: Tensor) -> Tensor:
        """Return embeddings (N, features) of length 1 of RGB crops (N, 3, 112, 112) in 0..255."""
        return F.normalize((self.net(crops_rgb) - self.mean) @ self.directions)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
