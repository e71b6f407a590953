"""`veneer import`: a network of another program becomes a style of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Option

_LOOK = """[looks.{name}]
layers = [{{ style = "{name}" }}]"""


def import_style(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the new style.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A checkpoint, an ONNX or a TensorFlow Lite file.")],
    program: Annotated[str, Option("--as", metavar="LAYOUT", help="The program that saved a checkpoint.")] = "",
    region: Annotated[str, Option(help="What it is applied to: head, face, person or frame.")] = "head",
    mask: Annotated[str, Option(help="Where it paints in a head or face: usual, face or square.")] = "usual",
    size: Annotated[str, Option(help="Size of its input: 256, or WxH.", show_default="the file's own, else 256")] = "",
    layout: Annotated[str, Option(help="Axes of a graph: nchw or nhwc.", show_default="as it says")] = "",
    colours: Annotated[str, Option(help="Colours of a graph: rgb or bgr.", show_default="rgb")] = "",
    input_range: Annotated[
        str, Option("--range", help="Values of its input: 0..1, -1..1 or 0..255.", show_default="as it says")
    ] = "",
    output_range: Annotated[str, Option(help="Values of its picture.", show_default="as it says")] = "",
    part: Annotated[str, Option(help="The network in the checkpoint, as in genB2A.")] = "",
    arg: Annotated[list[str] | None, Option(metavar="NAME=VALUE", help="An argument of the generator.")] = None,
    licence: Annotated[str, Option(help="Text about its licence, shown by `veneer styles`.")] = "",
    picture: Annotated[
        Path | None, Option(help="The picture before and after.", show_default="beside the style")
    ] = None,
    again: Annotated[bool, Option("--again", help="Overwrite a style of this name.")] = False,
    replace: Annotated[bool, Option("--replace", help="Allow a shipped style's name; yours is then used.")] = False,
) -> None:
    """Make a style of a network that another program trained.

    PyTorch checkpoints need --as, which names the program: photo2cartoon, ugatit, cyclegan, pix2pix, animegan2,
    fast-style, cartoongan or stylegan2 (for `veneer sample`). ONNX and TensorFlow Lite files take one picture and
    return one; what their graph does not say, options do. Nothing in the file is executed.
    """
    from engines.files import check_writable
    from engines.imports.graph_import import GraphOptions
    from engines.imports.style_files import restored_on_error
    from engines.imports.style_import import ImportRequest, import_as_style
    from engines.style_lookup import load_style, own_folder
    from live.picture_files.picture_writer import picture_format

    graph = GraphOptions(layout, colours, input_range, output_range)
    request = ImportRequest(
        name, file, program, region, mask, size, part, tuple(arg or ()), licence, graph, again, replace
    )
    check_writable("--picture", picture)
    if picture is not None:
        picture_format(picture)
    with restored_on_error(name):
        said = import_as_style(request, say=lambda line: typer.echo(line, err=True))
        shown = picture or own_folder() / f"{name}.png"
        tried = "" if program == "stylegan2" else _tried(name, shown)
    if program == "stylegan2":
        typer.echo(f"{said}\nto see it: veneer sample {name} --grid {name}.png")
        return
    for line in (said, tried, f"styles: {load_style(name).weights}", f"picture: {shown}"):
        typer.echo(line)
    typer.echo(f"to wear it, add to looks.toml:\n{_LOOK.format(name=name)}")


def _tried(name: str, picture: Path) -> str:
    """Try the style on the built-in face. Return a line on its speed."""
    from engines.runtime.style_times import keep_time
    from engines.style_lookup import load_style
    from live.render.before_after import write_before_after

    style = load_style(name)
    trial = write_before_after(picture, style)
    keep_time(style, trial.median_ms)
    if trial.is_even:
        typer.echo(f"{name}: it draws one even area on the built-in face: see {picture}", err=True)
    return f"{trial.median_ms:.1f} ms a call here, {trial.engine}"
