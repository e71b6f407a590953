"""`veneer apply`: a look on pictures and films that are already there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def apply(
    input: Annotated[Path, typer.Argument(metavar="INPUT", help="A picture, a video, or a folder of them.")],
    output: Annotated[Path, typer.Argument(metavar="OUTPUT", help="Where the result goes; a folder for a folder.")],
    look: Annotated[str, typer.Option(help="Look to put on.")] = "glaze",
    strength: Annotated[float, typer.Option(help="0 to 1, on top of the look's own.")] = 1.0,
    max_faces: Annotated[int, typer.Option(help="1 to 4.")] = 4,
    runtime: Annotated[str, typer.Option(help="auto, openvino or torch.")] = "auto",
    looks_file: Annotated[Path | None, typer.Option(help="A looks file instead of your own.")] = None,
) -> None:
    """Put a look on every frame of a video (sound is kept), on a picture, or on all of a folder."""
    from live.options import LiveOptions
    from live.recording.file_apply import apply_to

    options = LiveOptions(
        look=look, strength=strength, max_faces=max_faces, runtime=runtime, looks_file=looks_file, source=str(input)
    )
    raise typer.Exit(apply_to(input, output, options))
