"""The `veneer` command: sub-commands from entry points, errors in one line."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from engines.errors import VeneerError
from engines.extras import missing_module
from live.tracking.quiet_stderr import say_line

if TYPE_CHECKING:  # imported inside of the functions, where Ctrl-C is handled
    import typer

_ORDER = (
    "demo",
    "run",
    "apply",
    "paint",
    "looks",
    "styles",
    "import",
    "models",
    "enroll",
    "verify",
    "who",
    "people",
    "doctor",
    "ctl",
    "panel",
    "install-shortcut",
    "train",
    "sample",
    "card",
    "evaluate",
    "calibrate",
    "engines",
)


def build(name: str = "") -> typer.Typer:
    """Return the command with the sub-commands of the entry point group `veneer.commands`.

    Args:
        name: The only sub-command that is needed: importing the others takes longer than many commands. All of them
            are loaded if there is none of this name.
    """
    from importlib import metadata

    import typer

    from live.commands.start import without_command

    app = typer.Typer(
        help="Veneer, a live face filter: webcam in, make-up on, virtual camera out. Without a command, the control "
        "page is opened.",
        invoke_without_command=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(without_command)
    entries = {entry.name: entry for entry in metadata.entry_points(group="veneer.commands")}
    entries = {name: entries[name]} if name in entries else entries
    for name in sorted(entries, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)):
        command = entries[name].load()
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:  # in "ctl strength -0.5" the number is not an option
            app.command(name, context_settings={"ignore_unknown_options": name == "ctl"})(command)
    return app


def main() -> None:
    """Run the command line of this process and end the process with its exit code."""
    _leave(run_command_line(prepare=_handle_signals_as_interrupt))


def run_command_line(
    arguments: Sequence[str] | None = None, *, prepare: Callable[[], None] | None = None
) -> int | str | None:
    """Run one `veneer` command in this process. A user error is one line on standard error and exit code 2.

    Args:
        arguments: The words after `veneer`; default: those in `sys.argv`.
        prepare: Called first, under the same handling of Ctrl-C.

    Returns:
        The exit code, in the form that `sys.exit` takes.
    """
    code: Any = 0
    try:
        if prepare is not None:
            prepare()
        import typer.main

        words = sys.argv[1:] if arguments is None else list(arguments)
        command = typer.main.get_command(build(*words[:1]))
        code = command(words, prog_name="veneer", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except VeneerError as error:
        code = _print_error(str(error))
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        code = 141  # `veneer looks | head -1`: the reader closed the pipe
    except OSError as error:
        code = _print_error(f"{error.filename or 'a file'}: {error.strerror or error}")
    except ImportError as error:
        problem = missing_module(error)
        if problem is None:
            raise
        code = _print_error(str(problem))
    except Exception as error:  # click raises its own classes for wrong options; any other exception is a defect
        if type(error).__name__ == "Abort":  # click's form of Ctrl-C
            code = 130
        elif not hasattr(error, "format_message"):
            raise
        elif text := " ".join(error.format_message().split()):
            code = _print_error(f"{text} - see veneer --help")
        else:  # the help was printed, because a command is missing
            code = 2
    if code == 130:
        say_line("veneer: stopped")
    return code if isinstance(code, (int, str)) else None


def _handle_signals_as_interrupt() -> None:
    """Raise KeyboardInterrupt on SIGTERM and SIGHUP, too, until a command installs its own handlers."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # an ignored signal (nohup) stays ignored
            signal.signal(number, signal.default_int_handler)


def _print_error(line: str) -> int:
    say_line(f"veneer: {line}")
    return 2


def _leave(code: object) -> None:
    """End the process, also while a thread is blocked in a driver or loads a library.

    The interpreter's shutdown would destroy objects that such a thread uses, and the process would abort.
    """
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)  # a second signal must not interrupt the shutdown
    if any(thread.daemon and thread.is_alive() for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)
    sys.exit(code if isinstance(code, (int, str)) else None)


if __name__ == "__main__":
    main()
