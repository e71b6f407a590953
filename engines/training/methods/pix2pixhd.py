"""pix2pixHD: paired training with three discriminators and feature matching (Wang et al., CVPR 2018)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.multi_scale import MultiScaleCritic
from engines.training.data.paired_batches import PairedBatch
from engines.training.gan_config import init_normal
from engines.training.generator import build_generator
from engines.training.losses.adversarial import GAN_KINDS, held, spectrally_normed
from engines.training.method import Presets, register
from engines.training.methods.pix2pix import PairedGan, Pix2PixConfig


@dataclass(frozen=True, kw_only=True)
class Pix2PixHdConfig(Pix2PixConfig):
    """Config of pix2pixHD: sections 3.2 and 3.3 of arXiv:1711.11585.

    Attributes:
        critic_channels: Channels of the discriminators' first layers (64 in the paper).
    """

    generator: Annotated[str, Option(help="Network: pix2pixhd, pix2pixhd_global or another one.")] = "pix2pixhd"
    gan: Annotated[str, Option(help=f"Adversarial loss: {', '.join(GAN_KINDS)}.")] = "lsgan"
    l1: Annotated[float, Option(help="Weight of the colour difference.", min=0)] = 0.0
    matching: Annotated[float, Option(help="Weight of the discriminators' features.", min=0)] = 10.0
    critic_channels: int = 64


@register
class Pix2PixHd(PairedGan[Pix2PixHdConfig]):
    """Global and local generator, discriminators at three scales, feature matching (equation 4)."""

    name = "pix2pixhd"
    config_class = Pix2PixHdConfig
    presets: ClassVar[Presets] = {
        "tiny": {
            "generator_args": {"channels": 8, "steps": 4, "blocks": 3, "local_blocks": 2}, "crop_px": 128,
            "steps": 6_000, "batch": 2, "check_every": 500, "critic_channels": 16,
        },
        "light": {"generator": "pix2pixhd_global", "generator_args": {"channels": 32, "depth": 3, "blocks": 6},
                  "steps": 50_000, "batch": 4},
        "paper": {"generator_args": {"channels": 32, "steps": 5, "blocks": 9, "local_blocks": 3}, "steps": 200_000},
    }  # fmt: skip

    def networks(self) -> dict[str, nn.Module]:
        """Return the generator and the three discriminators, which are one network."""
        config = self.config
        normed = not self.objective.needs_independent_pictures
        critic: nn.Module = MultiScaleCritic(2, config.critic_channels, norm=normed)
        generator = init_normal(build_generator(config))
        critic = init_normal(critic)
        return {"generator": generator, "discriminator": spectrally_normed(critic) if config.spectral else critic}

    def _generator_losses(self, before: Tensor, output: Tensor, after: Tensor, batch: PairedBatch) -> dict[str, Tensor]:
        losses = self._direct_losses(output, after, batch)
        critic = self.parts.networks["discriminator"]
        with held(critic), self.parts.fabric.autocast():
            found = critic(before, output)
            losses["adversarial"] = self.objective.for_generator([scale[-1] for scale in found])
            if self.config.matching:
                with torch.no_grad():
                    wanted = critic(before, after)
                losses["matching"] = _matched(found, wanted)
        return losses

    def _train_discriminator(self, before: Tensor, fake: Tensor, real: Tensor) -> float:
        critic, plain = self.parts.wrapped["discriminator"], self.parts.networks["discriminator"]
        on_fake, on_real = ([scale[-1] for scale in critic(before, picture)] for picture in (fake, real))
        loss = self.objective.for_critic(on_fake, on_real)
        loss = loss + self.objective.penalties(lambda rgb: [one[-1] for one in plain(before, rgb)], fake, real)
        value = self.minimise("discriminator", loss, "the discriminator's loss")
        self.objective.limit([plain])
        return value


def _matched(found: list[list[Tensor]], wanted: list[list[Tensor]]) -> Tensor:
    """Return the mean absolute difference of the features of all layers, averaged over layers and scales."""
    differences = [
        (one - other).abs().mean().float()
        for scale, target in zip(found, wanted, strict=True)
        for one, other in zip(scale[:-1], target[:-1], strict=True)
    ]
    return torch.stack(differences).mean()
