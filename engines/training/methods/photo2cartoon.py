"""Photo2Cartoon: U-GAT-IT with a loss that keeps the person (Minivision, 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from typer import Option

from engines.training.method import Presets, register
from engines.training.methods.ugatit import AttentiveMethod, UGatItConfig


@dataclass(frozen=True, kw_only=True)
class Photo2CartoonConfig(UGatItConfig):
    """Config of Photo2Cartoon: the weights of its program, github.com/minivision-ai/photo2cartoon, `train.py`."""

    generator: Annotated[str, Option(help="Network: photo2cartoon, ugatit_light or ugatit.")] = "photo2cartoon"
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 300_000
    cycle: Annotated[float, Option(help="Weight of the cycle's difference.", min=0)] = 50.0
    face_id: Annotated[float, Option("--face-id", help="Weight of the same person; needs --identity.", min=0)] = 1.0


@register
class Photo2Cartoon(AttentiveMethod[Photo2CartoonConfig]):
    """U-GAT-IT's four losses, and the cosine of an identity network's embeddings of photo and drawing."""

    name = "photo2cartoon"
    config_class = Photo2CartoonConfig
    presets: ClassVar[Presets] = {
        "tiny": {
            "side_px": 96, "steps": 10_000, "initial_steps": 1_000, "check_every": 500,
            "critic_channels": 16, "peak_lr": 4e-4,
            "generator_args": {"channels": 16, "blocks": 3, "depth": 3, "edge_levels": 14.0},
            "cycle": 6.0, "cycle_noise": 0.15, "same": 4.0, "cam": 10.0,
        },
        "light": {"side_px": 128, "steps": 100_000, "generator_args": {"channels": 32, "blocks": 4, "depth": 4}},
        "paper": {"side_px": 256, "steps": 300_000, "generator_args": {"channels": 32, "blocks": 4, "depth": 4}},
    }  # fmt: skip
