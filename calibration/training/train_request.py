"""What `veneer train STYLE` was asked for: read once, checked, frozen."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.generators.spec import Value
from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS
from engines.training.devices import usual_precision
from engines.training.recipe import Objectives, Recipe

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")

_OWN_TONES = ("sketch",)  # paper stays white in any light: what is lit otherwise must be drawn anew, not lit alike


@dataclass(frozen=True, slots=True)
class Request:
    """The options of `veneer train STYLE`, as they were given."""

    name: str
    teacher: str | None
    faces: list[Path] | None
    most: int | None
    before: Path | None
    after: Path | None
    cut: bool
    region: str
    begin: str | None
    generator: str
    arg: list[str] | None
    output: str
    steps: int | None
    minutes: float | None
    seed: int
    out: Path | None
    work: Path | None
    resume: bool
    l1: float
    gradient: float
    perceptual: float
    adversarial: float
    temporal: float
    vgg: Path | None
    gan: str
    optimiser: str | None
    lr: float | None
    batch: int
    crop: int
    webcam: float
    grid: int | None
    relit: float | None
    lights: int | None
    blemished: int | None
    precision: str | None
    threads: int | None
    processes: int

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name in ("lips", "shade"):
            raise OptionsError(
                f"style {self.name!r}", "not a name for a style", "use small letters, digits and hyphens"
            )
        if self.region not in (*FACE_REGIONS, *FRAME_REGIONS):
            raise OptionsError(
                f"region {self.region!r}", "there is no such", f"use {', '.join((*FACE_REGIONS, *FRAME_REGIONS))}"
            )
        taught, own = bool(self.teacher and self.faces), bool(self.before and self.after)
        if taught == own or bool(self.teacher) != bool(self.faces) or bool(self.before) != bool(self.after):
            do = "give --teacher NAME --faces DIR, or --before DIR --after DIR"
            raise OptionsError(f"training of {self.name!r}", "no pictures, or both kinds of them", do)
        if self.steps is not None and self.minutes is not None:
            raise OptionsError("--steps and --minutes", "one would overrule the other", "give one of them")
        for given in self.inputs:
            real = Path(os.path.realpath(given))
            if any(real.is_relative_to(os.path.realpath(place)) for place in self.made_folders):
                got = f"it is in --work, and what lies in {self.pairs} and {self.regions} is made anew"
                raise OptionsError(f"pictures in {given}", got, "use another --work, or move the pictures")

    @property
    def inputs(self) -> list[Path]:
        """The folders of the user's pictures that something is cut or drawn from; they are never written to."""
        own = [folder for folder in (self.before, self.after) if folder is not None and self.cut]
        return [*own, *(self.faces or [])]

    @property
    def made_folders(self) -> tuple[Path, ...]:
        """Folders whose pictures may be deleted; any of them may be a link elsewhere."""
        return self.pairs, self.regions, self.pairs / "before", self.pairs / "after"

    @property
    def pairs(self) -> Path:
        """Where the pairs are put together."""
        return self.folder / "pairs"

    @property
    def regions(self) -> Path:
        """Where the photos' regions are put."""
        return self.folder / "regions"

    @property
    def kind(self) -> str:
        """Which region the pictures are cut to: a person is found in the whole frame."""
        return "frame" if self.region == "person" else self.region

    @property
    def more_lights(self) -> int:
        """How many more pairs of each photo are drawn in another light."""
        return self.lights if self.lights is not None else int(self.teacher in _OWN_TONES)

    @property
    def folder(self) -> Path:
        """Where the run keeps its things."""
        return self.work or Path(f"train-{self.name}")

    def recipe(self) -> Recipe:
        """How to train."""
        spec = generator_spec(self.generator)
        arguments: dict[str, Value] = {}
        for text in self.arg or []:
            try:
                arguments |= spec.parse(text)
            except ValueError as error:
                raise OptionsError(f"--arg {text}", str(error), "write NAME=VALUE, as in --arg channels=16") from error
        if self.output not in spec.outputs:
            do = f"use {' or '.join(spec.outputs)}"
            raise OptionsError(f"--output {self.output}", f"{self.generator} does not return it", do)
        if self.output == "change" and "change" in spec.arguments:
            arguments["change"] = True
        optimiser = self.optimiser or spec.optimiser
        weights = Objectives(self.l1, self.gradient, self.perceptual, self.adversarial, self.gan, self.temporal)
        chosen: dict[str, Any] = {}
        if self.steps is not None:
            chosen["steps"] = self.steps
            chosen["check_every"] = max(1, min(500, self.steps // 8))
        if self.lr is not None:
            chosen["peak_lr"] = self.lr
        if self.relit is not None or self.teacher in _OWN_TONES:
            chosen["light"] = self.relit or 0.0
        return Recipe(
            generator=self.generator, generator_args=arguments, output=self.output, objectives=weights,
            batch=self.batch, crop_px=self.crop, optimiser=optimiser, webcam=self.webcam,
            precision=self.precision or usual_precision(),
            seed=self.seed,
            grid_px=self.grid or 1, **chosen,
        )  # fmt: skip
