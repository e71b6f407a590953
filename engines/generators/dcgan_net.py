"""Dcgan: the first convolutional generator that trains reliably."""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from engines.generators.noise_layers import halvings, joined
from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="dcgan",
    network="Dcgan",
    paper="Radford, Metz, Chintala 2016, arXiv:1511.06434",
    arguments={
        "latent": Argument(100, 1, 1024),
        "side_px": Argument(64, 8, 256),
        "channels": Argument(128, 4, 1024),
        "classes": Argument(0, 0, 1000),
    },
    inputs=("latent",),
    value_range=(-1, 1),
    output_size="fixed",
    method="dcgan",
    benchmarked=False,
)


class Dcgan(nn.Module):
    """Noise projected to 4x4, then transposed convolutions that double the size.

    Radford, Metz, Chintala, "Unsupervised Representation Learning with DCGANs", ICLR 2016 (arXiv:1511.06434), section 3
    and figure 1: batch normalisation and ReLU in all layers but the last, tanh at the output. At 64 pixels with 128
    channels it has the paper's 1024-512-256-128 features; at 32 pixels it has one layer less.

    Args:
        latent: Numbers of noise.
        side_px: Width and height of the picture, a power of two.
        channels: Features of the last hidden layer; each layer before has twice as many.
        classes: Length of the labels that are appended to the noise; 0 for none.
    """

    def __init__(self, latent: int = 100, side_px: int = 64, channels: int = 128, classes: int = 0) -> None:
        super().__init__()
        self.latent, self.classes, steps = latent, classes, halvings(side_px)
        wide = [channels << i for i in reversed(range(steps))]
        self.first = _grown(nn.ConvTranspose2d(latent + classes, wide[0], 4, bias=False))
        pairs = itertools.pairwise(wide)
        self.body = nn.Sequential(*(_grown(_up(into, out, bias=False)) for into, out in pairs))
        self.out = _up(channels, 3, bias=True)
        for layer in self.modules():
            if isinstance(layer, nn.ConvTranspose2d):
                nn.init.normal_(layer.weight, 0, 0.02)  # section 4

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the picture (N, 3, S, S) in -1..1 of noise (N, latent) and labels (N, classes)."""
        x = joined(latent, label, self.classes)[:, :, None, None]  # N, latent, 1, 1
        x = self.first(x)  #                                         N, C * S / 8, 4, 4
        x = self.body(x)  #                                          N, C, S/2, S/2
        picture: Tensor = self.out(x).tanh()  #                      N, 3, S, S
        return picture


def _up(into: int, out: int, *, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(into, out, 4, 2, 1, bias=bias)


def _grown(layer: nn.ConvTranspose2d) -> nn.Sequential:
    return nn.Sequential(layer, nn.BatchNorm2d(layer.out_channels), nn.ReLU())
