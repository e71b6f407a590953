"""Global hotkeys: the keys of the preview, with Ctrl+Alt, while any other window has the focus."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from engines.errors import OptionsError, VeneerError
from live.control.controls import Command
from live.control.hotkeys import KEYS, command_for_key, no_display_error

if TYPE_CHECKING:
    from live.control.pynput_hotkeys import PynputListener
    from live.control.x11_hotkeys import X11Listener


def listen(on_command: Callable[[Command], object], look_keys: Mapping[str, str]) -> Callable[[], None]:
    """Listen to the keyboard of the whole desktop session and turn Ctrl+Alt+key into commands.

    A key held down gives one command, except for the strength keys, which repeat. Esc is not used: desktops take
    Ctrl+Alt+Esc. On X11 with several layouts, a character counts if it is on the key in any of them.

    Args:
        on_command: Takes the command, called in the listening thread; must return at once.
        look_keys: Name of the look by its key; see `live.control.hotkeys.look_keys`.

    Returns:
        The function that stops listening, within 2 s; it may be called again, and never raises.

    Raises:
        OptionsError: This session gives no global keys (Wayland, no display, no permission on macOS), or other
            programs hold all of them.
    """
    if (problem := session_problem()) is not None:
        raise problem

    def on_key(key: str) -> None:
        try:
            if command := command_for_key(key, look_keys):
                on_command(command)
        except VeneerError as error:
            logging.getLogger(__name__).warning("%s", error)

    keys = frozenset({*KEYS, *look_keys} - {"esc"})
    listener: PynputListener | X11Listener
    if sys.platform in ("win32", "darwin"):
        from live.control.pynput_hotkeys import PynputListener

        listener = PynputListener(on_key, keys)
    else:
        from live.control.x11_hotkeys import X11Listener

        listener = X11Listener(on_key, keys)
    listener.start()
    return listener.stop


def session_problem(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> OptionsError | None:
    """Why this desktop session gives no global keys, as far as the environment shows it; None if it may give them."""
    environ = os.environ if environ is None else environ
    if platform in ("win32", "darwin"):
        return None
    display, wayland = environ.get("DISPLAY"), environ.get("WAYLAND_DISPLAY")
    if environ.get("XDG_SESSION_TYPE", "").lower() == "wayland" or (wayland and not display):
        return OptionsError(
            "global hotkeys",
            "this is a Wayland session, and Wayland does not give keys to programs without the focus",
            "make a desktop shortcut that calls `veneer ctl look glaze`: it does the same",
        )
    return None if display else no_display_error("DISPLAY is not set")
