"""`veneer apply`: a look on existing pictures and videos."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from engines.option_fields import with_options
from live.options import ApplyOptions, load_apply_options


@with_options(ApplyOptions)
def apply(
    input: Annotated[str, typer.Argument(metavar="INPUT", help="A picture, a video, a folder of them, or s3://...")],
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="Result file; a folder if INPUT is a folder.")],
    **given: Any,
) -> None:
    """Apply a look to every frame of a video (sound is kept), to a picture, or to all files of a folder."""
    from live.recording.file_apply import apply_command

    raise typer.Exit(apply_command(input, output, load_apply_options(given)))
