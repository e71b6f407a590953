"""`veneer paint`: a photo in the style of one or several pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from engines.option_fields import with_options
from engines.painting.paint_options import PaintOptions


@with_options(PaintOptions)
def paint(
    photo: Annotated[Path, typer.Argument(metavar="PHOTO", help="The picture to paint.")],
    style_picture: Annotated[Path, typer.Argument(metavar="STYLE_PICTURE", help="A painting, or any other picture.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Result: png, jpg, webp, tiff, avif or bmp.")],
    **given: Any,
) -> None:
    """Paint a photo in the style of a picture (minutes; needs VGG, see `veneer models add vgg`).

    Ctrl-C keeps the best painting so far. With --fast it takes some seconds, and needs `veneer models add transfer`;
    it takes --size, --strokes, --also, --colours and --only.
    """
    from live.render.picture_painting import paint_file

    raise typer.Exit(paint_file(photo, style_picture, out, PaintOptions(**given)))
