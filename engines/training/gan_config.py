"""GanConfig: the settings that all adversarial methods share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from torch import nn
from typer import Option

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.training.config import TrainConfig
from engines.training.losses.adversarial import GAN_KINDS, Objective, spectrally_normed


def check_limits(gan: str, *, spectral: bool) -> None:
    """Raise OptionsError if the weights of the discriminators would be limited twice."""
    if gan == "wgan" and spectral:
        do = "use --gan wgan without --spectral, or --gan hinge"
        raise OptionsError("--gan wgan --spectral", "clipping and spectral norm both limit the weights", do)


@dataclass(frozen=True, kw_only=True)
class GanConfig(TrainConfig):
    """Config of the adversarial methods.

    Attributes:
        decay_from: Part of the steps after which the learning rate falls linearly to zero (0.5 in CycleGAN).
        beta1: Of Adam, for generators and discriminators.
        critic_channels: Channels of the discriminators' first layers (64 in the papers).
    """

    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "lsgan"
    spectral: Annotated[bool, Option("--spectral/--no-spectral", help="Spectral norm of the discriminators.")] = False
    r1: Annotated[float, Option(help="Weight of the discriminators' R1 penalty.", min=0)] = 0.0
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 1
    peak_lr: Annotated[float, Option("--lr", help="Learning rate; it falls linearly later.", min=0)] = 2e-4
    ema_decay: float = 0.999
    warm_up_steps: int = 1
    decay_from: float = 0.5
    beta1: float = 0.5
    critic_channels: Annotated[int, Option("--critic-channels", help="Channels of the discriminators.", min=4)] = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gan not in GAN_KINDS:
            raise OptionsError(f"GAN kind {self.gan!r}", "there is no such value", f"use {', '.join(GAN_KINDS)}")
        check_limits(self.gan, spectral=self.spectral)
        if generator_spec(self.generator).region == "lips":
            raise OptionsError(f"generator {self.generator!r}", "it paints lips only", "use veneer train lips")

    @property
    def objective(self) -> Objective:
        """The adversarial objective."""
        return Objective(self.gan, self.r1)

    @property
    def normed(self) -> bool:
        """Whether the discriminators are normalised; a penalty of their slope needs networks without normalisation."""
        return not self.objective.needs_independent_pictures

    def critic(self, net: nn.Module) -> nn.Module:
        """Return a discriminator, with spectral norm if it is switched on."""
        return spectrally_normed(net) if self.spectral else net


def linear_decay(config: GanConfig, step: int) -> float:
    """Return the learning rate of a step: constant, then falling linearly to zero (CycleGAN, appendix 7.1)."""
    return falling(config.peak_lr, config.steps, config.decay_from, step)


def falling(peak_lr: float, steps: int, decay_from: float, step: int) -> float:
    """Return `peak_lr`, falling linearly to zero after the part `decay_from` of the steps."""
    return peak_lr * min(1.0, (steps - step) / max(1.0, steps * (1 - decay_from)))


def init_normal(net: nn.Module) -> nn.Module:
    """Draw all convolutions and matrices from a normal distribution, sigma 0.02 (pix2pix, appendix 6.2)."""
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and not hasattr(layer, "parametrizations"):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return net
