"""The options of `veneer train STYLE` that say where pictures come from and where the style goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.generators.spec import GeneratorSpec, Value
from engines.option_fields import check_alternatives, check_ranges
from engines.training.config import TrainConfig
from engines.training.teachers import TEACHERS

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_RESERVED = ("lips", "shade")
_REDRAWN_IN_EACH_LIGHT = ("sketch",)  # paper stays white in any light: relighting the drawing would be wrong
_MAX_CHECK_EVERY = 500
_CHECKS = 8
_USAGE = "give --teacher NAME --faces DIR, or --before DIR --after DIR"


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """Options of every method. The fields of the method's config are options too."""

    name: Annotated[str, Argument(metavar="STYLE", help="Name: small letters, digits, hyphens.")]
    teacher: Annotated[str | None, Option(help=f"Teacher that draws the targets: {', '.join(TEACHERS)}.")] = None
    faces: Annotated[list[Path] | None, Option(metavar="DIR", help="Photos for the teacher; repeatable.")] = None
    max_photos: Annotated[int | None, Option("--most", min=2, help="Use at most this many photos, by the seed.")] = None
    before: Annotated[Path | None, Option(metavar="DIR", help="Your own pictures: the inputs.")] = None
    after: Annotated[Path | None, Option(metavar="DIR", help="Your own pictures: same-named targets.")] = None
    cut: Annotated[bool, Option("--cut/--no-cut", help="Crop your own pictures to the region, or use them as is.")] = (
        True
    )
    region: Annotated[str, Option(help="face, head, frame or person.")] = "head"
    start_from: Annotated[str, Option("--from", metavar="STYLE", help="Start from the weights of this style.")] = ""
    arg: Annotated[list[str] | None, Option(metavar="NAME=VALUE", help="Generator argument; repeatable.")] = None
    method: Annotated[str | None, Option(help="Training method.", show_default="the generator's own")] = None
    minutes: Annotated[float | None, Option(min=0.05, max=100_000, help="Train this long, instead of --steps.")] = None
    out: Annotated[Path | None, Option(metavar="DIR", help="Style folder.", show_default="your own styles")] = None
    work: Annotated[Path | None, Option(metavar="DIR", help="Checkpoint and pairs.", show_default="train-STYLE")] = None
    resume: Annotated[bool, Option("--resume", help="Continue from the checkpoint in --work.")] = False
    again: Annotated[bool, Option("--again", help="Start over, and overwrite an earlier training or style.")] = False
    replace: Annotated[bool, Option("--replace", help="Allow a shipped style's name; yours is then used.")] = False
    lights: Annotated[
        int | None, Option(min=0, max=50, help="Relit pairs of a photo.", show_default="1 for sketch")
    ] = None
    blemished: Annotated[int | None, Option(min=0, max=50, help="Blemished pairs.", show_default="1 for retouch")] = (
        None
    )
    threads: Annotated[int | None, Option(min=1, max=256, help="Threads; as many give the same weights.")] = None
    processes: Annotated[int, Option(min=1, max=256, help="Processes in which the teacher draws.")] = 2

    def __post_init__(self) -> None:
        from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS

        check_ranges(self)
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise OptionsError(f"style {self.name!r}", "not a name for a style", "use small letters, digits, hyphens")
        regions = (*FACE_REGIONS, *FRAME_REGIONS)
        if self.region not in regions:
            raise OptionsError(f"region {self.region!r}", "there is no such", f"use {', '.join(regions)}")
        check_pictures(self.name, self.teacher, self.faces or (), self.before, self.after)
        for given in filter(lambda folder: is_below(folder, self.made_folders), self.inputs):
            got = f"they are in --work, and {self.pairs} and {self.regions} are overwritten"
            raise OptionsError(f"pictures in {given}", got, "use another --work, or move the pictures")

    @property
    def inputs(self) -> list[Path]:
        """The user's folders that pictures are read from; they are never written to."""
        own = [folder for folder in (self.before, self.after) if folder is not None and self.cut]
        return [*own, *(self.faces or [])]

    @property
    def made_folders(self) -> tuple[Path, ...]:
        """Folders whose pictures may be deleted; each may be a link to another place."""
        return self.pairs, self.regions, self.pairs / "before", self.pairs / "after"

    @property
    def folder(self) -> Path:
        """The work folder; its sub-folders `pairs` and `regions` hold what is made for the training."""
        return self.work or Path(f"train-{self.name}")

    @property
    def pairs(self) -> Path:  # noqa: D102
        return self.folder / "pairs"

    @property
    def regions(self) -> Path:  # noqa: D102
        return self.folder / "regions"

    @property
    def kind(self) -> str:
        """The region that pictures are cut to; for a person it is the whole frame."""
        return "frame" if self.region == "person" else self.region

    @property
    def out_folder(self) -> Path:
        """The folder of the style."""
        from engines.styles import own_folder  # imports NumPy, which the list of commands does without

        return self.out or own_folder()

    @property
    def variants(self) -> dict[str, int]:
        """Numbers of further pairs of each photo: drawn in another light, and with blemishes in the input."""
        lights = int(self.teacher in _REDRAWN_IN_EACH_LIGHT) if self.lights is None else self.lights
        blemished = int(self.teacher == "retouch") if self.blemished is None else self.blemished
        return {"lights": lights, "blemished": blemished}

    def config_values(self, config_class: type[TrainConfig], given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of the method's config: the given ones, and defaults that depend on the request.

        Args:
            config_class: Class of the config; fields that it lacks are left out.
            given: Config fields given on the command line.

        Raises:
            OptionsError: The generator does not take an `--arg` or does not return `--output`, or steps and minutes
                are both given.
        """
        from engines.training.devices import usual_precision

        if "steps" in given and self.minutes is not None:
            raise OptionsError("--steps and --minutes", "both set the number of steps", "give one of them")
        spec, output = generator_spec(given.get("generator", config_class.generator)), given.get("output", "picture")
        arguments: dict[str, Value] = {}
        for text in self.arg or []:
            try:
                arguments |= spec.parse(text)
            except ValueError as error:
                raise OptionsError(f"--arg {text}", str(error), "write NAME=VALUE, as in --arg channels=16") from error
        if output not in spec.outputs:
            do = f"use {' or '.join(spec.outputs)}"
            raise OptionsError(f"--output {output}", f"{spec.name} does not return it", do)
        if output == "change" and "change" in spec.arguments:
            arguments["change"] = True
        self._check_region_size(spec, arguments)
        values = dict[str, Any](generator_args=arguments, optimiser=spec.optimiser, precision=usual_precision())
        if "steps" in given:
            values["check_every"] = max(1, min(_MAX_CHECK_EVERY, given["steps"] // _CHECKS))
        if self.teacher in _REDRAWN_IN_EACH_LIGHT:
            values["relit"] = 0.0
        known = {field.name for field in fields(config_class)}
        return {name: value for name, value in {**values, **given}.items() if name in known}

    def _check_region_size(self, spec: GeneratorSpec, arguments: Mapping[str, Value]) -> None:
        from engines.regions.upright import FRAME_REGIONS  # these import NumPy
        from engines.styles import FACE_SIZE_WH, FRAME_SIZE_WH

        step_px = spec.multiple_px(arguments)
        width, height = FRAME_SIZE_WH if self.region in FRAME_REGIONS else FACE_SIZE_WH
        if width % step_px or height % step_px:
            got = f"{spec.name} takes multiples of {step_px} pixels, the region is {width}x{height}"
            raise OptionsError(f"--region {self.region}", got, "use another --region, --generator or --arg")


def check_pictures(
    name: str, teacher: str | None, faces: Iterable[Path], before: Path | None, after: Path | None
) -> None:
    """Check the options that name pictures. Raises OptionsError if one is missing, or a folder does not exist."""
    named = {"--faces": list(faces), "--before": [before] if before else [], "--after": [after] if after else []}
    of_teacher = [*(["--teacher"] if teacher else []), *(["--faces"] if named["--faces"] else [])]
    of_pairs = [option for option in ("--before", "--after") if named[option]]
    needed = (("--teacher", "--faces"), ("--before", "--after"))
    check_alternatives(f"train {name}", (of_teacher, of_pairs), needed, _USAGE)
    for option, folders in named.items():
        for folder in folders:
            if not folder.exists():
                raise OptionsError(f"{option} {folder}", "there is no such folder", "check the path")


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Whether the real path is one of the folders' real paths or lies below one."""
    return any(Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)) for folder in folders)
