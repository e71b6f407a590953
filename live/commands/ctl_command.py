"""`veneer ctl`: control the running program."""

from __future__ import annotations

from typing import Annotated

import typer


def ctl(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND",
            help="look NAME or 1..9; strength 0..1, + or -; mirror, freeze, panic, record or help, "
            "each with on, off or nothing to toggle; snapshot; status; quit; layer NUMBER KEY VALUE; fallback RULE; "
            "undo; save NAME",
        ),
    ],
    pid: Annotated[int | None, typer.Option(help="Process id of the program, if several run.")] = None,
) -> None:
    """Control the running program from another process (a desktop shortcut, a script)."""
    from live.control.control_socket import send_command

    typer.echo(send_command(words, pid=pid))
