"""`veneer` without a command: the control page of the running program, or of a new one."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from engines.errors import OptionsError, VeneerError
from engines.extras import install_command
from live.tracking.quiet_stderr import say_line

_NO_PROGRAM = "no running veneer"
_NO_SINKS = ("null",)


def _print_version(asked: bool) -> None:
    if asked:
        from engines.runtime.base import library_version  # imports NumPy

        sys.stdout.write(f"veneer {library_version('veneer') or 'of a checkout that is not installed'}\n")
        raise typer.Exit


def without_command(
    context: typer.Context,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Open the control page if no command is named; without its extra, print the help."""
    if context.invoked_subcommand is not None:
        return
    if has_page():
        start(browser=browser)
        return
    sys.stdout.write(context.get_help() + "\n")
    say_line(f"veneer: without a command, the control page is opened; it needs: {install_command('panel')}")
    raise typer.Exit(2)


def has_page() -> bool:
    """Whether the extra of the control page is installed."""
    return all(find_spec(name) is not None for name in ("starlette", "uvicorn", "websockets", "tomlkit"))


def start(*, browser: bool) -> None:
    """Open the page of the running program; without one, start a program with the last look, camera and outputs.

    What is missing (a camera, the virtual camera) does not end the program: the page says what to do about it.
    """
    if _open_running(browser=browser):
        return
    from live import last_choices
    from live.options import load_options
    from live.session import Session

    given = last_choices.load() | {"panel": True, "browser": browser}
    options = load_options(last_choices.with_camera(load_options(given), given))
    sinks, missing = usable_sinks(options.sinks, size_wh=options.size_wh, fps=options.fps)
    wanted = options.sinks
    session = Session(dataclasses.replace(options, sinks=sinks), missing=missing)
    for error in missing.values():
        session.say(str(error))
    choices = last_choices.LastChoices(session, wanted)
    session.controls.follow(choices.save)
    session.run()


def _open_running(*, browser: bool) -> bool:
    """Open the page of the program that runs; return False if none does."""
    from live.control.control_socket import send_command

    try:
        link = send_command(["panel"], timeout_s=15.0)
    except OptionsError as error:
        if error.got == _NO_PROGRAM:
            return False
        raise
    say_line(f"veneer: it runs already; control page: {link}")
    from live.panel.browser import has_desktop, open_in_browser

    if browser and has_desktop():
        open_in_browser(link).join(5.0)
    return True


def usable_sinks(
    sinks: tuple[str, ...], *, size_wh: tuple[int, int], fps: float
) -> tuple[tuple[str, ...], dict[str, VeneerError]]:
    """Return the sinks that can be opened now, or "null" if none can, and the error of each other one."""
    missing: dict[str, VeneerError] = {}
    for name in sinks:
        try:
            _check_sink(name, size_wh, fps)
        except VeneerError as error:
            missing[name] = error
    return tuple(name for name in sinks if name not in missing) or _NO_SINKS, missing


def _check_sink(name: str, size_wh: tuple[int, int], fps: float) -> None:
    kind, _, device = name.partition(":")
    if kind == "window":
        from live.sinks.display import check_screen

        check_screen()
    elif kind == "virtual-camera":
        from live.sinks.virtual_camera import VirtualCameraSink

        with contextlib.closing(VirtualCameraSink(device or None)) as sink:
            sink.open(size_wh=size_wh, fps=fps)
