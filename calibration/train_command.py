"""`veneer train`: a style from a teacher or from the user's own pairs, or the lip styles."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from calibration.training.picture_options import FACE_SWAP, check_pictures, check_swap
from calibration.training.train_identity_command import identity
from calibration.training.train_request import TrainRequest
from engines.option_fields import with_options
from engines.training.config import TrainConfig
from engines.training.methods import FROM_NOISE
from engines.training.train_lips_command import lips

_STYLE = "STYLE"
_PICTURES = (
    "teacher",
    "faces",
    "before",
    "after",
    "photos",
    "drawings",
    "style-picture",
)  # options that say where pictures come from


class _StyleGroup(TyperGroup):
    """`veneer train NAME ...` is the command STYLE unless NAME is a command itself.

    The options of STYLE are those of the training method. Importing a method imports PyTorch, so the command is built
    when it is called and not when it is listed.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_STYLE, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _style_command(rest) if name == _STYLE else command, rest


train = typer.Typer(
    cls=_StyleGroup, no_args_is_help=True, help="Train a style: from a teacher and photos, or from pairs of pictures."
)


train.command("lips")(lips)
train.command("identity")(identity)


@train.command(_STYLE)
def _listed() -> None:
    """Train a style of this name. `veneer train STYLE --help` lists the options."""


def _style_command(args: list[str]) -> Any:
    """Build the command for the training method that the arguments name."""
    from engines.generators.registry import generator_spec
    from engines.training.methods import load_method
    from engines.training.teachers import PLANE_TEACHERS, PLANES_GENERATOR

    given = {name: _values_of(f"--{name}", args) for name in _PICTURES}
    named = "".join(_values_of("--method", args)[-1:])
    named = FACE_SWAP if named.replace("-", "_") == FACE_SWAP else named
    if named == "cgan" and not given["drawings"]:  # its photos and drawings are classes 0 and 1; without, --labels is
        named = "conditional"
    if not {"-h", "--help"} & set(args):  # before the seconds that the import of PyTorch takes
        *folders, styled = (Path(given[name][-1]) if given[name] else None for name in _PICTURES[2:])
        teacher = "".join(given["teacher"][-1:])
        faces = map(Path, given["faces"])
        if named == FACE_SWAP:
            others = [f"--{name}" for name, values in given.items() if values]
            one, other = ("".join(_values_of(option, args)[-1:]) for option in ("--from", "--to"))
            check_swap(args[0], one, Path(other) if other else None, _values_of("--i-have-consent-of", args), others)
        else:
            check_pictures(args[0], teacher, faces, *folders, style_picture=styled, method=named)
    usual = PLANES_GENERATOR if "".join(given["teacher"][-1:]) in PLANE_TEACHERS else TrainConfig.generator
    generator = "".join(_values_of("--generator", args)[-1:]) or usual
    usual_method = _painter() if given["style-picture"] else generator_spec(generator).method
    method = load_method(named or usual_method)
    options: type = dataclass(frozen=True, kw_only=True)(type("TrainOptions", (method.config_class, TrainRequest), {}))
    request_fields = {field.name for field in fields(TrainRequest)}

    @with_options(options)
    def style(**given: Any) -> None:
        """Train a style for `veneer run`.

        With --teacher and --faces, a teacher draws the targets from photos. With --before and --after, your own
        same-named pictures are used. With --photos and --drawings, pictures without pairs are used by the methods
        cyclegan, ugatit, photo2cartoon and cgan. With --photos alone, a network for `veneer sample` learns to make such
        pictures from noise, by the methods gan, dcgan, lsgan, wgan, wgan-gp, cgan (with --labels), pggan, stylegan
        and stylegan2; --region head cuts the face of each photo to the same place first. With --style-picture, the
        look of one picture is learned for whole frames, by the VGG or the network of `veneer models add`. With --method
        face-swap, --from and --to name pictures or films of two persons who agreed. Ctrl-C writes a checkpoint:
        continue with --resume.
        """
        from calibration.training.train_run import run

        if given.get("style_picture") is not None or named in FROM_NOISE:
            given.setdefault("region", "frame")
        if named:
            given["method"] = named
        request = TrainRequest(**{name: value for name, value in given.items() if name in request_fields})
        run(request, method, {name: value for name, value in given.items() if name not in request_fields})

    app = typer.Typer(add_completion=False)
    app.command(_STYLE)(style)
    return typer.main.get_command(app)


def _painter() -> str:
    """Return the method for a style picture: by VGG if it was added, else by the transfer network if that was."""
    from engines.painting import transfer_file, vgg_file

    return "painted" if transfer_file.kept_file().is_file() and not vgg_file.kept_file().is_file() else "style_picture"


def _values_of(option: str, args: list[str]) -> list[str]:
    """Return the values of an option in a list of arguments."""
    given = [after for one, after in itertools.pairwise(args) if one == option]
    return given + [one.partition("=")[2] for one in args if one.startswith(f"{option}=")]
