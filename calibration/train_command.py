"""`veneer train`: a style from a teacher or from the user's own pairs, or the lip styles."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

from calibration.training.train_request import TrainRequest, check_pictures
from engines.option_fields import with_options
from engines.training.config import TrainConfig
from engines.training.train_lips_command import lips

_STYLE = "STYLE"


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


@train.command(_STYLE)
def _listed() -> None:
    """Train a style of this name. `veneer train STYLE --help` lists the options."""


def _style_command(args: list[str]) -> Any:
    """Build the command for the training method that the arguments name."""
    from engines.generators.registry import generator_spec
    from engines.training.methods import load_method

    if not {"-h", "--help"} & set(args):  # before the seconds that the import of PyTorch takes
        given = {name: _values_of(f"--{name}", args) for name in ("teacher", "faces", "before", "after")}
        before, after = (Path(given[name][-1]) if given[name] else None for name in ("before", "after"))
        check_pictures(args[0], "".join(given["teacher"][-1:]), map(Path, given["faces"]), before, after)
    generator = "".join(_values_of("--generator", args)[-1:]) or TrainConfig.generator
    method = load_method("".join(_values_of("--method", args)[-1:]) or generator_spec(generator).method)
    options: type = dataclass(frozen=True, kw_only=True)(type("TrainOptions", (method.config_class, TrainRequest), {}))
    request_fields = {field.name for field in fields(TrainRequest)}

    @with_options(options)
    def style(**given: Any) -> None:
        """Train a style for `veneer run`.

        With --teacher and --faces, a teacher draws the targets from photos. With --before and --after, your own
        same-named pictures are used. Ctrl-C writes a checkpoint: continue with --resume.
        """
        from calibration.training.train_run import run

        request = TrainRequest(**{name: value for name, value in given.items() if name in request_fields})
        run(request, method, {name: value for name, value in given.items() if name not in request_fields})

    app = typer.Typer(add_completion=False)
    app.command(_STYLE)(style)
    return typer.main.get_command(app)


def _values_of(option: str, args: list[str]) -> list[str]:
    """Return the values of an option in a list of arguments."""
    given = [after for one, after in itertools.pairwise(args) if one == option]
    return given + [one.partition("=")[2] for one in args if one.startswith(f"{option}=")]
