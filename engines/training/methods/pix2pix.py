"""pix2pix: paired training with a conditional PatchGAN (Isola et al., CVPR 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

import torch
from torch import nn
from typer import Option

from engines.training.gan_config import check_limits, falling, init_normal
from engines.training.losses.adversarial import GAN_KINDS
from engines.training.method import Presets, register
from engines.training.methods.paired import PairedConfig, PairedMethod

_BETAS = (0.5, 0.999)


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(PairedConfig):
    """Config of pix2pix: sections 3 and 6.2 of arXiv:1611.07004; differences are those of 0..1.

    Attributes:
        decay_from: Part of the steps after which the learning rate falls linearly to zero.
    """

    generator: Annotated[str, Option(help="Network.")] = "pix2pix_unet"
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 100_000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 1
    peak_lr: Annotated[float, Option("--lr", help="Learning rate; it falls linearly later.", min=0)] = 2e-4
    l1: Annotated[float, Option(help="Weight of the colour difference.", min=0)] = 200.0
    gradient: Annotated[float, Option(help="Weight of the image gradients' difference.", min=0)] = 0.0
    adversarial: Annotated[float, Option(help="Weight of the discriminator.", min=0)] = 1.0
    temporal: Annotated[float, Option(help="Weight of the stability from frame to frame.", min=0)] = 0.0
    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "vanilla"
    crop_px: Annotated[int, Option("--crop", help="Side of the training crops, pixels.", min=16)] = 256
    webcam: Annotated[float, Option(help="Degradation of the inputs as by a webcam.", min=0, max=1)] = 0.0
    relit: Annotated[float, Option(help="Share of relit pairs.", min=0, max=1)] = 0.0
    decay_from: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limits(self.gan, spectral=self.spectral)


ConfigT = TypeVar("ConfigT", bound=Pix2PixConfig)


class PairedGan(PairedMethod[ConfigT]):
    """Adversarial paired training with Adam, a normal distribution of the first weights, and linear decay."""

    def networks(self) -> dict[str, nn.Module]:
        """Return generator and discriminator with their first weights."""
        return {name: init_normal(net) for name, net in super().networks().items()}

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Return one Adam for each network."""
        lr = self.config.peak_lr
        return {name: torch.optim.Adam(net.parameters(), lr, _BETAS) for name, net in self.parts.networks.items()}

    def learning_rate(self, step: int) -> float:
        """Return the learning rate: constant, then falling linearly to zero."""
        return falling(self.config.peak_lr, self.config.steps, self.config.decay_from, step)


@register
class Pix2Pix(PairedGan[Pix2PixConfig]):
    """The U-Net and the 70x70 PatchGAN."""

    name = "pix2pix"
    config_class = Pix2PixConfig
    presets: ClassVar[Presets] = {
        "tiny": {
            "generator": "pix2pix", "generator_args": {"channels": 16, "depth": 6}, "crop_px": 128, "steps": 10_000,
            "batch": 4, "check_every": 500,
        },
        "light": {"generator_args": {"channels": 32, "depth": 8}, "steps": 50_000, "batch": 4},
        "paper": {"generator_args": {"channels": 64, "depth": 8}, "steps": 200_000, "batch": 1},
    }  # fmt: skip
