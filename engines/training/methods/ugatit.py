"""U-GAT-IT: unpaired training with class activation attention (Kim et al., ICLR 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

import torch
from torch import Tensor, nn
from typer import Option

from engines.discriminators.attention_critic import GLOBAL_LAYERS, LOCAL_LAYERS, AttentionCritic
from engines.errors import OptionsError
from engines.training.method import Presets, register
from engines.training.unpaired import UnpairedConfig, UnpairedMethod

_ATTENTIVE = ("ugatit_light", "ugatit", "photo2cartoon")
_MIN_MAP_PX = 6  # width of the maps that a discriminator's last layers receive


@dataclass(frozen=True, kw_only=True)
class UGatItConfig(UnpairedConfig):
    """Config of U-GAT-IT: section 2.2 of arXiv:1907.10830 (weights 1, 10, 10, 1000), and the authors' program."""

    generator: Annotated[str, Option(help="Network: ugatit_light, ugatit or photo2cartoon.")] = "ugatit_light"
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 1_000_000
    peak_lr: Annotated[float, Option("--lr", help="Learning rate; it falls linearly later.", min=0)] = 1e-4
    same: Annotated[float, Option(help="Weight of the identity mapping: drawings stay as they are.", min=0)] = 10.0
    cam: Annotated[float, Option(help="Weight of the attention's classifiers.", min=0)] = 1000.0
    weight_decay: float = 1e-4

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.generator not in _ATTENTIVE:
            do = f"use {', '.join(_ATTENTIVE)}, or --method cyclegan"
            raise OptionsError(f"generator {self.generator!r}", "it has no class activation attention", do)
        if self.gan == "wgan":
            got = "its discriminators have spectral norm, and clipping would limit their weights once more"
            raise OptionsError("--gan wgan", got, "use --gan wgan-gp or hinge")


ConfigT = TypeVar("ConfigT", bound=UGatItConfig)


class AttentiveMethod(UnpairedMethod[ConfigT]):
    """Two generators with attention; a global and a local discriminator for drawings and for photos."""

    def critics(self) -> dict[str, nn.Module]:
        """Return the global and the local discriminator of each kind; small pictures get fewer layers."""
        config = self.config
        most = 2 + int(math.log2(config.side_px / _MIN_MAP_PX))
        layers = {"global": min(GLOBAL_LAYERS, most), "local": min(LOCAL_LAYERS, most)}
        return {
            f"{kind}s' {name} critic": AttentionCritic(count, config.critic_channels)
            for kind in ("drawing", "photo")
            for name, count in layers.items()
        }

    def logits(self, critic: Any, pictures: Tensor) -> Sequence[Tensor]:
        """Return the logits of the patches, and those of the classifiers."""
        found: Sequence[Tensor] = critic(pictures)
        return found

    @torch.no_grad()
    def after_generators(self) -> None:
        """Clip the shares of instance and layer normalisation to 0..1 (section 2.1.1)."""
        for name in ("generator", "back"):
            for key, weight in self.parts.networks[name].named_parameters():
                if key.endswith("rho"):
                    weight.clamp_(0, 1)


@register
class UGatIt(AttentiveMethod[UGatItConfig]):
    """The method of the paper."""

    name = "ugatit"
    config_class = UGatItConfig
    presets: ClassVar[Presets] = {
        "tiny": {
            "side_px": 96, "steps": 20_000, "initial_steps": 1_000, "check_every": 500,
            "critic_channels": 16, "peak_lr": 4e-4,
            "generator_args": {"channels": 16, "blocks": 3, "edge_levels": 14.0},
            "cycle": 6.0, "cycle_noise": 0.15, "same": 4.0, "cam": 10.0,
        },
        "light": {"side_px": 128, "steps": 200_000, "generator_args": {"channels": 64, "blocks": 4}},
        "paper": {
            "side_px": 256, "steps": 1_000_000, "generator": "ugatit",
            "generator_args": {"channels": 64, "blocks": 4, "side_px": 256},
        },
    }  # fmt: skip
