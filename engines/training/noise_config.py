"""Config of the training from noise: what the papers changed are its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from typer import Option

from engines.errors import OptionsError
from engines.generators.noise_layers import halvings
from engines.generators.registry import generator_spec
from engines.training.gan_config import GanConfig


@dataclass(frozen=True, kw_only=True)
class NoiseConfig(GanConfig):
    """Config of the training from noise.

    Attributes:
        beta2: Of Adam.
        r1_every: Steps between two R1 penalties, which are that much stronger: StyleGAN2, section 3.1.
        path_every: The same for the path length.
    """

    generator: Annotated[str, Option(help="Network: mlp_gan, cgan, dcgan, pggan, stylegan, stylegan2.")] = "dcgan"
    side_px: Annotated[int, Option("--size", help="Width and height of the pictures, pixels.", min=8, max=256)] = 32
    steps: Annotated[int, Option(help="Training steps.", min=1, max=10**9)] = 20_000
    batch: Annotated[int, Option(help="Batch size.", min=1)] = 32
    gan: Annotated[str, Option(help="Adversarial loss; by default that of --method.")] = "vanilla"
    critic_steps: Annotated[
        int, Option("--critic-steps", help="Discriminator updates for each generator update.", min=1, max=20)
    ] = 1
    grow: Annotated[float, Option(help="Part of the steps in which the networks grow.", min=0, max=1)] = 0.0
    mixing: Annotated[float, Option(help="Chance of two styles in a picture.", min=0, max=1)] = 0.0
    path: Annotated[float, Option(help="Weight of the path length.", min=0)] = 0.0
    auxiliary: Annotated[float, Option(help="With labels: weight of the classification loss (ACGAN).", min=0)] = 0.0
    ada: Annotated[float, Option(help="Adaptive augmentation: target sign of real logits; 0: off.", min=0, max=1)] = 0.0
    mirror: Annotated[bool, Option("--mirror/--no-mirror", help="Mirror half of the pictures.")] = False
    r1_every: int = 8
    path_every: int = 4
    beta2: float = 0.999
    decay_from: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if generator_spec(self.generator).inputs != ("latent",):
            do = "use mlp_gan, cgan, dcgan, pggan, stylegan or stylegan2"
            raise OptionsError(f"generator {self.generator!r}", "it does not make pictures from noise alone", do)
        if not self.is_flat and self.side_px & (self.side_px - 1):
            raise OptionsError(f"--size {self.side_px}", "not a power of two", "use 8, 16, 32, 64, 128 or 256")
        if self.generator_args.get("side_px", self.side_px) != self.side_px:
            do = "leave out --arg side_px, or give the same --size"
            raise OptionsError(f"--size {self.side_px}", f"--arg side_px={self.generator_args['side_px']}", do)
        object.__setattr__(self, "generator_args", {**self.generator_args, "side_px": self.side_px})

    @property
    def is_flat(self) -> bool:
        """Whether the networks are fully connected, without blocks of different sizes."""
        return self.generator in ("mlp_gan", "cgan")

    @property
    def classes(self) -> int:
        """Length of the labels."""
        return int(self.generator_args.get("classes", 0))

    def level(self, step: int) -> float:
        """Return the number of blocks in use; each is faded in during the second half of its share of the steps."""
        if not self.grow:
            return float(halvings(self.side_px)) if not self.is_flat else 0.0
        blocks = halvings(self.side_px)
        at = min(float(blocks), step / (self.grow * self.steps) * blocks)
        return int(at) + max(0.0, 2 * (at - int(at)) - 1)
