"""`veneer train`: a style from a teacher or from the user's own pairs, or the lip styles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from engines.generators.registry import generator_specs
from engines.training.train_lips_command import lips

_STYLE = "STYLE"
_GENERATORS = ", ".join(spec.name for spec in generator_specs() if spec.region == "upright")


class _StyleGroup(TyperGroup):
    """`veneer train NAME ...` is the command STYLE, unless NAME is a command itself."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_STYLE, *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


train = typer.Typer(
    cls=_StyleGroup, no_args_is_help=True, help="Train a style: from a teacher and photos, or from pairs of pictures."
)


@train.callback()
def _group() -> None:
    """Train a style: from a teacher and photos, or from pairs of pictures."""


train.command("lips")(lips)


@train.command(_STYLE)
def style(
    name: Annotated[str, typer.Argument(metavar="STYLE", help="Its name: small letters, digits, hyphens.")],
    teacher: Annotated[str | None, typer.Option(help="Makes the pictures after: toon, sketch or retouch.")] = None,
    faces: Annotated[list[Path] | None, typer.Option(metavar="DIR", help="Photos for the teacher; repeatable.")] = None,
    most: Annotated[int | None, typer.Option(min=2, help="At most so many of the photos, drawn by the seed.")] = None,
    before: Annotated[Path | None, typer.Option(metavar="DIR", help="Your own pictures before.")] = None,
    after: Annotated[Path | None, typer.Option(metavar="DIR", help="The same-named ones after.")] = None,
    cut: Annotated[bool, typer.Option(help="Cut your pictures to the region; --no-cut: they are regions.")] = True,
    region: Annotated[str, typer.Option(help="face, head, frame or person.")] = "head",
    begin: Annotated[
        str | None, typer.Option("--from", metavar="STYLE", help="Begin with the weights of this style.")
    ] = None,
    generator: Annotated[str, typer.Option(help=f"One of {_GENERATORS}.")] = "toon_net",
    arg: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="For the generator; repeatable.")] = None,
    output: Annotated[str, typer.Option(help="What it returns: picture, or change (keeps fine detail).")] = "picture",
    steps: Annotated[int | None, typer.Option(min=1, help="Optimiser steps.", show_default="12000")] = None,
    minutes: Annotated[float | None, typer.Option(min=0.05, help="As many steps as fit, instead.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same weights on the CPU.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the style goes.", show_default="your own styles")
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Checkpoint, pairs, curves, samples.", show_default="train-STYLE"),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --work.")] = False,
    l1: Annotated[float, typer.Option(min=0, help="Weight of the colour difference.")] = 1.0,
    gradient: Annotated[float, typer.Option(min=0, help="Weight of the lines' difference.")] = 0.5,
    perceptual: Annotated[float, typer.Option(min=0, help="Weight of VGG-19's features; wants --vgg.")] = 0.0,
    adversarial: Annotated[float, typer.Option(min=0, help="Weight of a PatchGAN.")] = 0.0,
    temporal: Annotated[float, typer.Option(min=0, help="Weight of steadiness from frame to frame.")] = 0.2,
    vgg: Annotated[Path | None, typer.Option(metavar="FILE", help="npz of VGG-19's weights.")] = None,
    gan: Annotated[str, typer.Option(help="vanilla, lsgan or wgan-gp.")] = "lsgan",
    optimiser: Annotated[
        str | None, typer.Option(help="soap, muon or adamw.", show_default="the generator's usual one")
    ] = None,
    lr: Annotated[float | None, typer.Option(min=0, help="Largest step size.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Crops a step.")] = 16,
    crop: Annotated[int, typer.Option(min=16, help="Side of the crops, pixels.")] = 128,
    webcam: Annotated[float, typer.Option(min=0, max=1, help="How often inputs look like a webcam's.")] = 0.6,
    grid: Annotated[
        int | None, typer.Option(min=1, help="The drawings' own grid, pixels.", show_default="none")
    ] = None,
    relit: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="How often photo and drawing are lit otherwise, alike.", show_default="0.4; 0 for sketch"
        ),
    ] = None,
    lights: Annotated[
        int | None,
        typer.Option(min=0, help="More pairs of each photo, drawn in another light.", show_default="1 for sketch"),
    ] = None,
    blemished: Annotated[
        int | None, typer.Option(min=0, help="More pairs with blemishes to take off.", show_default="1 for retouch")
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="32-true, bf16-mixed or 16-mixed.", show_default="bf16-mixed where it is fast, else 32-true"),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Processor threads; the same number gives the same weights.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Teachers that draw at once.")] = 2,
) -> None:
    """Train a style that `veneer run` offers at once.

    With --teacher and --faces, the teacher draws what is cut from the photos; with --before and --after, your own
    same-named pictures are learned from. Ctrl-C keeps what was learned: go on with --resume.
    """
    from calibration.training.train_request import Request
    from calibration.training.train_run import run

    given: dict[str, Any] = dict(locals())
    run(Request(**{key: value for key, value in given.items() if key not in ("Request", "run")}))
