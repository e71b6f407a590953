"""The options of `veneer train STYLE` that say where pictures come from and where the style goes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from calibration.training.picture_options import FACE_SWAP, FROM_NOISE_USAGE, USAGE, check_pictures, check_swap
from engines.errors import OptionsError
from engines.generators.registry import generator_spec
from engines.generators.spec import GeneratorSpec, Value
from engines.option_fields import check_ranges
from engines.paths import portraits_dir
from engines.training.config import TrainConfig
from engines.training.methods import FROM_NOISE
from engines.training.teachers import TEACHERS

if TYPE_CHECKING:
    from engines.training.data.labelled_pictures import Labels

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_RESERVED = ("lips", "shade")
_REDRAWN_IN_EACH_LIGHT = ("sketch",)  # paper stays white in any light: relighting the drawing would be wrong
_MAX_CHECK_EVERY = 500
_CHECKS = 8


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """Options of every method. The fields of the method's config are options too."""

    name: Annotated[str, Argument(metavar="STYLE", help="Name: small letters, digits, hyphens.")]
    teacher: Annotated[str | None, Option(help=f"Teacher that draws the targets: {', '.join(TEACHERS)}.")] = None
    faces: Annotated[list[Path] | None, Option(metavar="DIR", help="Photos for the teacher; repeatable.")] = None
    max_photos: Annotated[int | None, Option("--most", min=2, help="Use at most this many photos, by the seed.")] = None
    before: Annotated[Path | None, Option(metavar="DIR", help="Your own pictures: the inputs.")] = None
    after: Annotated[Path | None, Option(metavar="DIR", help="Your own pictures: same-named targets.")] = None
    photos: Annotated[Path | None, Option(metavar="DIR", help="Photos of faces, without pairs.")] = None
    drawings: Annotated[Path | None, Option(metavar="DIR", help="Drawings that the photos become like.")] = None
    style_picture: Annotated[
        Path | None, Option(metavar="FILE", help="A live look of this picture; photos with --photos.")
    ] = None
    groups: Annotated[Path | None, Option(metavar="CSV", help="Table file,age,gender: a network for each group.")] = (
        None
    )
    labels: Annotated[Path | None, Option(metavar="CSV", help="Table file,ATTRIBUTE...: for pictures from noise.")] = (
        None
    )
    preset: Annotated[str | None, Option(help="tiny (CPU), light or paper (GPU), if the method has them.")] = None
    cut: Annotated[bool, Option("--cut/--no-cut", help="Crop your own pictures to the region, or use them as is.")] = (
        True
    )
    region: Annotated[str, Option(help="face, head, frame or person.")] = "head"
    start_from: Annotated[
        str, Option("--from", metavar="STYLE|DIR", help="Start from the weights of this style; face-swap: of whom.")
    ] = ""
    to: Annotated[Path | None, Option(metavar="DIR", help="face-swap: the person who takes the place.")] = None
    consent_of: Annotated[
        list[str] | None, Option("--i-have-consent-of", metavar="NAME", help="face-swap: both persons agree; twice.")
    ] = None
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
    threads: Annotated[int | None, Option(min=1, max=256, help="Threads; the same number gives the same weights.")] = (
        None
    )
    processes: Annotated[int, Option(min=1, max=256, help="Processes in which the teacher draws.")] = 2
    nodes: Annotated[
        int | None, Option(min=1, max=1000, help="Number of machines, of torchrun, or with --cluster of Ray.")
    ] = None
    cluster: Annotated[
        str | None, Option(metavar="auto|ADDRESS", help="Train on a Ray cluster; auto is that of this machine.")
    ] = None

    def __post_init__(self) -> None:
        from engines.regions.upright import FACE_REGIONS, FRAME_REGIONS

        check_ranges(self)
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED:
            raise OptionsError(f"style {self.name!r}", "not a name for a style", "use small letters, digits, hyphens")
        regions = (*FACE_REGIONS, *FRAME_REGIONS)
        if self.region not in regions:
            raise OptionsError(f"region {self.region!r}", "there is no such region", f"use {', '.join(regions)}")
        own = (self.before, self.after, self.photos, self.drawings)
        if self.swaps:
            check_swap(self.name, self.start_from, self.to, self.consent_of or (), ())
        else:
            if self.to is not None or self.consent_of:
                raise OptionsError("--to and --i-have-consent-of", "they are for face swaps", "add --method face-swap")
            check_pictures(
                self.name, self.teacher, self.faces or (), *own, style_picture=self.style_picture,
                method=self.method or "",
            )  # fmt: skip
        if self.style_picture is not None and self.region not in FRAME_REGIONS and self.method != "painted":
            do = f"use --region {' or '.join(FRAME_REGIONS)}, or --method painted"
            raise OptionsError(f"--region {self.region}", "a style picture is learned for whole frames", do)
        if self.labels is not None and not self.from_noise:
            raise OptionsError("--labels", f"they are for {', '.join(FROM_NOISE)}", "leave them out")
        if self.method == "conditional" and self.labels is None:
            raise OptionsError(f"train {self.name} --method cgan", "no labels", FROM_NOISE_USAGE)
        if self.groups is not None and self.photos is None:
            raise OptionsError("--groups", "it needs --photos and --drawings", USAGE)
        for given in filter(lambda folder: is_below(folder, self.made_folders), self.inputs):
            got = f"they are in --work, and {self.pairs} and {self.regions} are overwritten"
            raise OptionsError(f"pictures in {given}", got, "use another --work, or move the pictures")

    @property
    def from_noise(self) -> bool:
        """Whether the network makes pictures from noise: a portrait network, and no style."""
        return self.method in FROM_NOISE

    @property
    def swaps(self) -> bool:
        """Whether a face swap is trained, for which --from names a person's pictures."""
        return self.method == FACE_SWAP

    @property
    def base_style(self) -> str:
        """The style whose weights to start from; "" for none."""
        return "" if self.swaps else self.start_from

    @property
    def inputs(self) -> list[Path]:
        """The user's folders that pictures are read from; they are never written to."""
        if self.swaps and self.to is not None:
            return [Path(self.start_from), self.to]
        own = [folder for folder in (self.before, self.after) if folder is not None and self.cut]
        unpaired = [folder for folder in (self.photos, self.drawings) if folder is not None]
        return [*own, *self.photo_folders, *unpaired[1:]]

    @property
    def photo_folders(self) -> list[Path]:
        """The folders of photos whose regions are cut with the tracker."""
        return [self.photos] if self.photos is not None else self.faces or []

    def with_absolute_folders(self) -> TrainRequest:
        """Return the same request for a process with another working folder."""
        faces = None if self.faces is None else [folder.absolute() for folder in self.faces]
        names = ("before", "after", "photos", "drawings", "groups", "labels", "style_picture", "to")
        own: dict[str, Any] = {name: path and path.absolute() for name in names for path in (getattr(self, name),)}
        if self.swaps:
            own["start_from"] = str(Path(self.start_from).absolute())
        return replace(self, faces=faces, **own, out=self.out_folder.absolute(), work=self.folder.absolute())

    @property
    def made_folders(self) -> tuple[Path, ...]:
        """Folders whose pictures may be deleted; each may be a link to another place."""
        return self.pairs, self.regions, self.drawn, self.pairs / "before", self.pairs / "after"

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
    def drawn(self) -> Path:  # noqa: D102
        return self.folder / "drawings"

    @property
    def kind(self) -> str:
        """The region that pictures are cut to; for a person it is the whole frame."""
        return "frame" if self.region == "person" else self.region

    @property
    def out_folder(self) -> Path:
        """The folder of the style."""
        from engines.style_lookup import own_folder  # imports NumPy, which the list of commands does without

        return self.out or (portraits_dir() if self.from_noise else own_folder())

    @property
    def variants(self) -> dict[str, int]:
        """Numbers of further pairs of each photo: drawn in another light, and with blemishes in the input."""
        lights = int(self.teacher in _REDRAWN_IN_EACH_LIGHT) if self.lights is None else self.lights
        blemished = int(self.teacher == "retouch") if self.blemished is None else self.blemished
        return {"lights": lights, "blemished": blemished}

    def config_values(
        self, config_class: type[TrainConfig], given: Mapping[str, Any], presets: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return the fields of the method's config: the given ones, and defaults that depend on the request.

        Args:
            config_class: Class of the config; fields that it lacks are left out.
            given: Config fields given on the command line.
            presets: Presets of the method.

        Raises:
            OptionsError: The generator does not take an `--arg` or does not return `--output`, or steps and minutes
                are both given.
        """
        from engines.training.devices import usual_precision
        from engines.training.teachers import PLANE_TEACHERS, PLANES_GENERATOR

        if "steps" in given and self.minutes is not None:
            raise OptionsError("--steps and --minutes", "both set the number of steps", "give one of them")
        preset = dict(self._chosen_preset(presets))
        if "steps" in given:
            preset.pop("check_every", None)  # it belongs to the preset's number of steps
        given = {**preset, **given}
        spec = generator_spec(given.get("generator", config_class.generator))
        output = given.get("output", getattr(config_class, "output", "picture"))
        arguments: dict[str, Value] = dict(preset.get("generator_args", {}))
        if spec.name != preset.get("generator", config_class.generator):
            arguments = {}  # those of the preset belong to another generator
        for text in self.arg or []:
            try:
                arguments |= spec.parse(text)
            except ValueError as error:
                do = "correct it" if "=" in text else "write NAME=VALUE, as in --arg channels=16"
                raise OptionsError(f"--arg {text}", str(error), do) from error
        if output not in spec.outputs:
            do = f"use {' or '.join(spec.outputs)}"
            raise OptionsError(f"--output {output}", f"{spec.name} does not return it", do)
        if (output == "planes") != (self.teacher in PLANE_TEACHERS):
            got = f"{spec.name} returns {'planes' if output == 'planes' else 'pictures'}"
            do = f"use --teacher {' or '.join(PLANE_TEACHERS)} with --generator {PLANES_GENERATOR}, and only these two"
            raise OptionsError(f"training of {self.name!r} from {self.teacher or 'pairs'}", got, do)
        if (labels := self.read_labels()) is not None:
            arguments["classes"] = labels.length
        if output == "change" and "change" in spec.arguments:
            arguments["change"] = True
        self._check_region_size(spec, arguments)
        values = dict[str, Any](generator_args=arguments, optimiser=spec.optimiser, precision=usual_precision())
        values |= {"style_file": self.style_picture, "worn_on": self.region}
        if "steps" in given:
            values["check_every"] = max(1, min(_MAX_CHECK_EVERY, given["steps"] // _CHECKS))
        if self.teacher in _REDRAWN_IN_EACH_LIGHT:
            values["relit"] = 0.0
        known = {field.name for field in fields(config_class)}
        values |= {**given, "generator_args": arguments}
        return {name: value for name, value in values.items() if name in known}

    def read_labels(self) -> Labels | None:
        """Return the table of labels without rows that have no picture. Raises OptionsError if it is not usable."""
        if self.labels is None or self.photos is None:
            return None
        from engines.training.data.labelled_pictures import read_labels

        return read_labels(self.labels).only({path.stem for path in self.photos.rglob("*")})

    def _chosen_preset(self, presets: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
        usual = presets.get("", {})  # of a method whose values differ from its config's
        if not self.preset or self.preset in presets:
            return {**usual, **presets[self.preset]} if self.preset else usual
        do = f"use {', '.join(filter(None, presets))}" if presets else "omit it: the method has none"
        raise OptionsError(f"--preset {self.preset}", "there is no such preset", do)

    def _check_region_size(self, spec: GeneratorSpec, arguments: Mapping[str, Value]) -> None:
        from engines.regions.upright import FRAME_REGIONS  # these import NumPy
        from engines.styles import FACE_SIZE_WH, FRAME_SIZE_WH

        step_px = spec.multiple_px(arguments)
        width, height = FRAME_SIZE_WH if self.region in FRAME_REGIONS else FACE_SIZE_WH
        if width % step_px or height % step_px:
            got = f"{spec.name} takes multiples of {step_px} pixels, the region is {width}x{height}"
            raise OptionsError(f"--region {self.region}", got, "use another --region, --generator or --arg")


def is_below(path: Path, folders: Iterable[Path]) -> bool:
    """Whether the real path is one of the folders' real paths or lies below one."""
    return any(Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)) for folder in folders)
