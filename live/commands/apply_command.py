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
    options = load_apply_options(given)
    if options.jobs != 1 and options.cluster is None:
        from live.batch.job_server import start_server

        start_server()  # imports what the jobs need, while this process does the same
    from live.recording.file_apply import apply_command

    raise typer.Exit(apply_command(input, output, options))
