"""`veneer models`: networks that the program uses and does not ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

models = typer.Typer(help="Add networks that the program uses and does not ship.", no_args_is_help=True)
add = typer.Typer(help="Add a network from a file of yours.", no_args_is_help=True)
models.add_typer(add, name="add")


@add.command()
def identity(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="OpenVINO .xml, .onnx, or OpenFace nn4.small2 .npz.")],
    name: Annotated[str, typer.Option(help="Name for --network.", show_default="the file's")] = "",
    threshold: Annotated[
        float | None, typer.Option(min=0.01, max=4, help="Squared distance of two persons.", show_default="usual")
    ] = None,
    unit: Annotated[bool, typer.Option("--unit", help="The network takes RGB of 0..1, not 0..255.")] = False,
) -> None:
    """Add a face recognition network, for `--network` of `enroll`, `verify`, `who` and `run`."""
    from engines.identity.import_network import add_network
    from engines.identity.network import own_folder
    from live.portrait import portrait_bgr
    from live.render.look_tile import find_faces

    photo = portrait_bgr()
    eyes = find_faces(photo)[0].landmarks_xy
    card = add_network(file, name, threshold=threshold, unit=unit, photo_bgr=photo, eyes=eyes)
    typer.echo(f"{card.name}: {card.side_px}x{card.side_px}, threshold {card.threshold:.2f} -> {own_folder()}")


@add.command()
def transfer(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The four files of MicroAST, .npz or .pth.tar.")],
) -> None:
    """Add MicroAST, for `veneer paint --fast` and for looks from one picture without VGG."""
    from engines.painting.transfer_file import add_transfer, kept_file
    from live.portrait import portrait_bgr

    digest = add_transfer(folder, portrait_bgr()[::2, ::2, ::-1])
    typer.echo(f"transfer network, SHA-256 {digest[:12]}: it paints the built-in portrait -> {kept_file()}")


@add.command()
def vgg(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .mat, .npz, .safetensors or torchvision file.")],
    input: Annotated[
        str, typer.Option(help="What its first layer takes: bgr, rgb (0..255) or torch.", show_default="by the file")
    ] = "",
) -> None:
    """Add VGG-16 or VGG-19, for `veneer paint` and for looks from one picture."""
    from engines.painting.vgg_file import add_vgg, kept_file
    from live.portrait import portrait_bgr

    weights = add_vgg(file, portrait_bgr()[::4, ::4, ::-1], input)
    typer.echo(f"VGG-{weights.depth} up to {weights.names[-1]}: {weights.about['checked']} -> {kept_file()}")
