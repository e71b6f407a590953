"""The `veneer` command: finds its sub-commands through entry points, and says errors in one line."""

from __future__ import annotations

import os
import sys
import threading
from importlib import metadata

import typer

from engines.errors import VeneerError

_ORDER = ("demo", "run", "apply", "looks", "doctor", "ctl", "train", "evaluate")


def build() -> typer.Typer:
    """The command with all sub-commands of the group `veneer.commands`."""
    app = typer.Typer(
        help="Veneer, a live face filter: webcam in, make-up on, virtual camera out.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    found = {entry.name: entry for entry in metadata.entry_points(group="veneer.commands")}
    for name in sorted(found, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        command = found[name].load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def main() -> None:
    """Run the command line; exit code 2 and one line on anything a person can put right."""
    code: object = 0
    try:
        build()()
    except SystemExit as end:
        code = end.code
    except VeneerError as error:
        sys.stderr.write(f"veneer: {error}\n")
        code = 2
    except KeyboardInterrupt:
        sys.stderr.write("veneer: stopped\n")
        code = 130
    _leave(code)


def _leave(code: object) -> None:
    """End the process, also while a thread is stuck in a driver or still loading a library.

    Python's own way out would tear the ground from under such a thread, and the process would abort.
    """
    if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    sys.exit(code if isinstance(code, (int, str)) else None)


if __name__ == "__main__":
    main()
