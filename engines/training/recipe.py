"""What one training run is told: frozen, checked once, written into the card and into every checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from engines.errors import OptionsError
from engines.generators import registry
from engines.generators.spec import Value
from engines.styles import OUTPUTS

GAN_KINDS = ("vanilla", "lsgan", "wgan-gp")
OPTIMISERS = ("soap", "muon", "adamw")


@dataclass(frozen=True, slots=True)
class Objectives:
    """The weight of each part of the loss; 0 switches it off, and costs nothing then.

    Attributes:
        l1: mean absolute difference of the colours.
        gradient: the same of the differences between neighbouring pixels: crisp lines, flat shading.
        perceptual: distance between VGG-19 features; wants a file with its weights.
        adversarial: a 70x70 PatchGAN that tells the generator's pictures from the teacher's.
        gan: its kind: "vanilla", "lsgan" or "wgan-gp".
        temporal: the same face, shifted and with other noise, has to give the same drawing.
    """

    l1: float = 1.0
    gradient: float = 0.5
    perceptual: float = 0.0
    adversarial: float = 0.0
    gan: str = "lsgan"
    temporal: float = 0.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a generator is trained.

    Attributes:
        generator: name in `engines.generators.registry`.
        generator_args: arguments for its constructor, as its spec lists them.
        output: "picture" or "change": what the generator returns.
        steps: optimiser steps; the step size follows one cycle over them.
        batch: crops a step, on each device.
        crop_px: side of the square crops that are learned from.
        optimiser: "soap" (best, for layers that are not too wide), "muon" or "adamw".
        peak_lr: the largest step size.
        warm_up_steps: steps until it is reached; from there it falls along half a cosine to nothing.
        weight_decay: of AdamW.
        averaging: decay of the running mean of the weights, which is the network that is kept.
        webcam: how much the inputs are made to look like a webcam's, 0..1: the share of crops that may be spoiled.
        light: share of the crops whose input and target are re-lit alike.
        turned: share of the crops that are turned and scaled (input and target alike; it softens the target a little).
        grid_px: the targets' own grid, where they have one (a pattern that stays where the paper is): crops and shifts
            keep to it, and nothing is turned or mirrored.
        held_out: share of the pairs that is never learned from, at most `most_held_out` pairs.
        check_every: steps between two scores on the held-out pairs, each followed by a checkpoint.
        patience: checks without a better score before the training stops.
        precision: as Lightning Fabric names it: "32-true", "bf16-mixed", "16-mixed".
        seed: the same seed gives the same weights on the CPU with the same number of threads.
    """

    generator: str = "toon_net"
    generator_args: Mapping[str, Value] = field(default_factory=dict)
    output: str = "picture"
    objectives: Objectives = field(default_factory=Objectives)
    steps: int = 12_000
    batch: int = 16
    crop_px: int = 128
    optimiser: str = "soap"
    peak_lr: float = 6e-3
    warm_up_steps: int = 100
    weight_decay: float = 1e-4
    averaging: float = 0.997
    webcam: float = 0.6
    light: float = 0.4
    turned: float = 0.2
    grid_px: int = 1
    held_out: float = 0.05
    most_held_out: int = 48
    check_every: int = 500
    patience: int = 20
    precision: str = "bf16-mixed"
    seed: int = 0

    def __post_init__(self) -> None:
        if registry.generator_spec(self.generator).region == "lips":
            raise OptionsError(f"generator {self.generator!r}", "it paints lips only", "use veneer train lips")
        for name, value, known in (
            ("output", self.output, OUTPUTS),
            ("kind of GAN", self.objectives.gan, GAN_KINDS),
            ("optimiser", self.optimiser, OPTIMISERS),
        ):
            if value not in known:
                raise OptionsError(f"{name} {value!r}", "there is no such", f"use {', '.join(known)}")
        weights = asdict(self.objectives)
        weights.pop("gan")
        if any(not math.isfinite(weight) or weight < 0 for weight in weights.values()):
            raise OptionsError(f"objectives {weights}", "a weight is negative or not finite", "use 0 or more")
        if weights["l1"] + weights["gradient"] + weights["perceptual"] + weights["adversarial"] == 0:
            raise OptionsError("objectives", "all are switched off", "give --l1 or another one a weight")
        if self.crop_px < 16 or self.crop_px % 8:
            raise OptionsError(f"crops of {self.crop_px} pixels", "not a multiple of 8, or below 16", "use 128")
        if min(self.steps, self.batch, self.check_every, self.patience, self.grid_px) < 1:
            asked = f"{self.steps} steps of {self.batch} crops on a grid of {self.grid_px}"
            raise OptionsError(asked, "a number below one", "use 1 or more")

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "generator_args": dict(self.generator_args)}

    @staticmethod
    def from_json(kept: Mapping[str, Any]) -> Recipe:
        """The recipe that `as_json` wrote."""
        return Recipe(**{**kept, "objectives": Objectives(**kept["objectives"])})


def build_generator(recipe: Recipe) -> nn.Module:
    """A fresh generator.

    Raises:
        OptionsError: its constructor does not take these arguments.
    """
    try:
        return registry.fresh_generator(recipe.generator, recipe.generator_args)
    except ValueError as error:
        asked = f"generator {recipe.generator} with {dict(recipe.generator_args)}"
        raise OptionsError(asked, str(error), "correct --arg") from error
