"""ConditionalGan: the class-conditioned generator of Mirza & Osindero (2014)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.generators.spec import Argument, GeneratorSpec

SPEC = GeneratorSpec(
    name="cgan",
    network="ConditionalGan",
    paper="Mirza, Osindero 2014, arXiv:1411.1784",
    arguments={
        "classes": Argument(10, 1, 1000),
        "latent": Argument(100, 1, 1024),
        "side_px": Argument(32, 8, 128),
        "channels": Argument(200, 4, 4096),
    },
    inputs=("latent",),
    output_size="fixed",
    method="conditional",
    benchmarked=False,
)


class ConditionalGan(nn.Module):
    """A hidden layer for the noise and one for the class, a joint hidden layer, and the picture.

    Mirza, Osindero, "Conditional Generative Adversarial Nets", 2014 (arXiv:1411.1784), section 4.1: 200 units for the
    noise, 1000 for the class, 1200 joint ones, and a sigmoid for each of the 784 pixels; colour pictures have three
    values for each pixel.

    Args:
        classes: Number of classes.
        latent: Numbers of noise (100 in the paper).
        side_px: Width and height of the picture (28 in the paper).
        channels: Units for the noise (200 in the paper); the class has five times, the joint layer six times as many.
    """

    def __init__(self, classes: int = 10, latent: int = 100, side_px: int = 32, channels: int = 200) -> None:
        super().__init__()
        self.latent, self.classes, self.side_px = latent, classes, side_px
        self.noise, self.label = nn.Linear(latent, channels), nn.Linear(classes, 5 * channels)
        self.joint = nn.Linear(6 * channels, 6 * channels)
        self.out = nn.Linear(6 * channels, 3 * side_px**2)

    def forward(self, latent: Tensor, label: Tensor | None = None) -> Tensor:
        """Return the picture (N, 3, S, S) in 0..1 of noise (N, latent) and labels (N, classes), None for zeros."""
        label = latent.new_zeros((len(latent), self.classes)) if label is None else label
        both = torch.cat((self.noise(latent), self.label(label)), 1).relu()  # N, 6C
        pixels = self.out(self.joint(both).relu()).sigmoid()  #                N, 3 * S * S
        return pixels.unflatten(1, (3, self.side_px, self.side_px))  # type: ignore[no-any-return]
