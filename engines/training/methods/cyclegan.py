"""CycleGAN: unpaired training with a cycle, an image pool and an identity mapping (Zhu et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from torch import Tensor, nn
from typer import Option

from engines.discriminators.n_layer import PatchCritic
from engines.training.gan_config import init_normal
from engines.training.method import Presets, register
from engines.training.unpaired import UnpairedConfig, UnpairedMethod


@dataclass(frozen=True, kw_only=True)
class CycleGanConfig(UnpairedConfig):
    """Config of CycleGAN: sections 3 and 4, and appendix 7.1 of arXiv:1703.10593."""

    generator: Annotated[str, Option(help="Network.")] = "cyclegan"
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 200_000
    pool: Annotated[int, Option(help="Earlier pictures for the discriminators.", min=0)] = 50


@register
class CycleGan(UnpairedMethod[CycleGanConfig]):
    """Two generators and two PatchGAN discriminators."""

    name = "cyclegan"
    config_class = CycleGanConfig
    presets: ClassVar[Presets] = {
        "tiny": {
            "side_px": 96, "steps": 12_000, "batch": 1, "check_every": 500, "critic_channels": 32,
            "generator_args": {"channels": 24, "blocks": 4},
        },
        "light": {"side_px": 128, "steps": 100_000, "generator_args": {"channels": 64, "blocks": 6}},
        "paper": {"side_px": 256, "steps": 200_000, "generator_args": {"channels": 64, "blocks": 9}},
    }  # fmt: skip

    def critics(self) -> dict[str, nn.Module]:
        """Return one PatchGAN for drawings and one for photos."""
        config = self.config
        return {
            f"{kind}s' critic": config.critic(PatchCritic(1, config.critic_channels, norm=config.normed))
            for kind in ("drawing", "photo")
        }

    def logits(self, critic: Any, pictures: Tensor) -> Sequence[Tensor]:
        """Return the logits of the patches."""
        return [critic(pictures)[-1]]

    def prepared(self, net: nn.Module) -> nn.Module:
        """Draw the first weights from a normal distribution."""
        return init_normal(net)
