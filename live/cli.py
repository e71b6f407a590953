"""The `veneer` command: finds its sub-commands through entry points, and says errors in one line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from engines.errors import VeneerError
from live.tracking.quiet_stderr import say_line

if TYPE_CHECKING:  # the rest is loaded where Ctrl-C is one line already
    import typer

_ORDER = ("demo", "run", "apply", "looks", "doctor", "ctl", "train", "evaluate", "calibrate", "engines")


def build() -> typer.Typer:
    """The command with all sub-commands of the group `veneer.commands`."""
    from importlib import metadata

    import typer

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
        else:  # "ctl strength -0.5" is a number, not an option
            app.command(name, context_settings={"ignore_unknown_options": name == "ctl"})(command)
    return app


def main() -> None:
    """Run the command line; exit code 2 and one line on anything a person can put right."""
    code: object = 0
    try:
        _stop_in_order()
        import typer.main

        code = typer.main.get_command(build())(standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except VeneerError as error:
        code = _complain(str(error))
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 141  # `veneer looks | head -1`: the reader has seen enough
    except OSError as error:
        code = _complain(f"{error.filename or 'a file'}: {error.strerror or error}")
    except Exception as error:  # what the command line's library says of wrong options; anything else is our fault
        if type(error).__name__ == "Abort":  # what it makes of Ctrl-C
            code = 130
        elif not hasattr(error, "format_message"):
            raise
        else:
            code = _complain(" ".join(error.format_message().split()) + " - see veneer --help")
    if code == 130:
        say_line("veneer: stopped")
    _leave(code)


def _stop_in_order() -> None:
    """Make a polite kill or a closed terminal what Ctrl-C is, until a command has its own way to end."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup keeps its word
            signal.signal(number, signal.default_int_handler)


def _complain(line: str) -> int:
    say_line(f"veneer: {line}")
    return 2


def _leave(code: object) -> None:
    """End the process, also while a thread is stuck in a driver or still loading a library.

    Python's own way out would tear the ground from under such a thread, and the process would abort.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # the end has come; it needs no second asking
    if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    sys.exit(code if isinstance(code, (int, str)) else None)


if __name__ == "__main__":
    main()
