"""CycleGAN: unpaired training with a cycle, an image pool and an identity mapping (Zhu et al., ICCV 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.n_layer import PatchCritic
from engines.training.gan_config import init_normal
from engines.training.method import Presets, register
from engines.training.unpaired import UnpairedConfig, UnpairedMethod

_IDENTITY = 0.05  # mean difference of pictures, 0..1, that counts as none


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
        # A generator that starts as the identity, apart from its filter: in the time of a CPU that of the paper only
        # learns to copy the photo.
        "tiny": {
            "side_px": 96, "steps": 40_000, "batch": 1, "check_every": 1_000, "critic_channels": 32, "peak_lr": 4e-4,
            "generator": "flat_net", "gan": "vanilla", "r1": 0.5, "cycle": 1.5, "cycle_noise": 0.15, "same": 1.0,
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
        """Draw the first weights from a normal distribution, unless a generator starts as the identity."""
        return net if self._is_identity(net) else init_normal(net)

    @torch.no_grad()
    def _is_identity(self, net: nn.Module) -> bool:
        """Whether a network returns the picture that it receives."""
        if isinstance(net, PatchCritic):
            return False
        side_px, trains = self.config.side_px, net.training
        rgb = torch.linspace(0, 1, 3 * side_px * side_px).reshape(1, 3, side_px, side_px)
        try:
            return bool((net.eval()(rgb) - rgb).abs().mean() < _IDENTITY)
        except RuntimeError:  # it does not take this size, which `prepare` reports
            return False
        finally:
            net.train(trains)
