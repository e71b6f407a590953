"""Global hotkeys: the keys of the preview, with Ctrl+Alt, while any other window has the focus."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from engines.errors import OptionsError, VeneerError
from live.control.controls import Command
from live.control.hotkeys import KEYS, command_for_key, no_display_error


class KeyListener(Protocol):
    """What a desktop system provides: it calls back with the name of each key pressed with Ctrl+Alt."""

    def start(self) -> None:
        """Begin to listen.

        Raises:
            OptionsError: this session gives no global keys.
        """

    def stop(self) -> None:
        """Stop within 2 s; idempotent."""


class GlobalHotkeys:
    """Listens to the keyboard of the whole desktop session and turns Ctrl+Alt+key into commands.

    A key held down gives one command, except for the strength keys, which repeat. Esc is not used: desktops take
    Ctrl+Alt+Esc. On X11 with several layouts, a character counts if it is on the key in any of them.

    Args:
        on_command: takes the command, called in the listening thread; must return at once.
        look_keys: name of the look by its key; see `live.control.hotkeys.look_keys`.
    """

    def __init__(self, on_command: Callable[[Command], object], look_keys: Mapping[str, str]) -> None:
        self._on_command, self._look_keys = on_command, look_keys
        self._listener: KeyListener | None = None

    def start(self) -> None:
        """Begin to listen; a second call does nothing.

        Raises:
            OptionsError: this session gives no global keys (Wayland, no display, no permission on macOS).
        """
        if self._listener is not None:
            return
        if (problem := session_problem()) is not None:
            raise problem
        listener = self._new_listener()
        listener.start()
        self._listener = listener

    def stop(self) -> None:
        """Stop listening, within 2 s. Idempotent; never raises."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def _new_listener(self) -> KeyListener:
        keys = frozenset({*KEYS, *self._look_keys} - {"esc"})
        if sys.platform in ("win32", "darwin"):
            from live.control.pynput_hotkeys import PynputListener

            return PynputListener(self._on_key, keys)
        from live.control.x11_hotkeys import X11Listener

        return X11Listener(self._on_key, keys)

    def _on_key(self, key: str) -> None:
        try:
            if command := command_for_key(key, self._look_keys):
                self._on_command(command)
        except VeneerError as error:
            logging.getLogger(__name__).warning("%s", error)


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
