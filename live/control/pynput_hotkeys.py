"""Global hotkeys on Windows and macOS: a keyboard hook (pynput) that watches the modifiers itself."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from engines.errors import OptionsError
from live.control.hotkeys import repeats

_START_TIMEOUT_S, _STOP_TIMEOUT_S = 2.0, 1.5
_MODIFIERS = ("ctrl", "alt", "shift", "cmd")
# The hook misses a modifier's release on a secure screen (Ctrl+Alt+Del, lock screen). Without a limit, typing
# afterwards would give commands.
_MAX_HELD_S = 10.0
# macOS turns Option + letter into another character; the key's position on the US keyboard is used instead.
_MACOS_KEYS = {
    **dict(zip((29, 18, 19, 20, 21, 23, 22, 26, 28, 25, 33, 30), "0123456789[]", strict=True)),
    **dict(zip((*range(10), *range(11, 18)), "asdfhgzxcvbqweryt", strict=True)),
    **dict(zip((31, 32, 34, 35, 37, 38, 40, 45, 46), "ouipljknm", strict=True)),
}


class PynputListener:
    """Watches all key events, and calls back with one of `keys`, in lower case, pressed while Ctrl and Alt are held."""

    def __init__(self, on_key: Callable[[str], object], keys: frozenset[str]) -> None:
        self._on_key, self._keys = on_key, keys
        self._held_since_s: dict[str, float] = {}
        self._last_key = ""
        self._listener: Any = None

    def start(self) -> None:
        """Install the hook and wait until it is ready. Raises OptionsError."""
        try:
            listener = _new_listener(on_press=self.press, on_release=self.release)
        except ImportError as error:
            raise _refused() from error
        self._listener = listener
        listener.start()
        # pynput's own wait has no limit and does not end when its thread fails.
        waiter = threading.Thread(target=listener.wait, name="hotkeys-wait", daemon=True)
        waiter.start()
        waiter.join(_START_TIMEOUT_S)
        ready = not waiter.is_alive()
        if ready and listener.is_alive() and getattr(listener, "IS_TRUSTED", True):
            return
        if ready:  # stopping a listener that is not ready would block
            self.stop()
        self._listener = None
        raise _refused()

    def stop(self) -> None:
        """Remove the hook; idempotent, never raises."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(Exception):  # join raises the error that ended the thread
            listener.stop()
            listener.join(_STOP_TIMEOUT_S)

    def press(self, key: Any) -> None:
        """Handle the press of a pynput key."""
        name, now_s = _modifier_name(key), time.monotonic()
        if name:
            self._held_since_s[name] = now_s
        elif self._modifiers_held(now_s):
            command_key = self._key_of(key)
            if command_key and (command_key != self._last_key or repeats(command_key)):
                self._held_since_s = dict.fromkeys(self._held_since_s, now_s)
                self._on_key(command_key)
            self._last_key = command_key

    def release(self, key: Any) -> None:
        """Handle the release of a pynput key."""
        name = _modifier_name(key)
        if name:
            self._held_since_s.pop(name, None)
        else:
            self._last_key = ""

    def _modifiers_held(self, now_s: float) -> bool:
        """Shift may be added, since some layouts have their digits there; with any other one it is another hotkey."""
        held = {name for name in _MODIFIERS if now_s - self._held_since_s.get(name, -_MAX_HELD_S) < _MAX_HELD_S}
        return held - {"shift"} == {"ctrl", "alt"}

    def _key_of(self, key: Any) -> str:
        """Return the key: by the character that it gives with the modifiers, or by the one it gives alone."""
        signs = [getattr(key, "char", None)]
        with contextlib.suppress(Exception):  # pynput cannot translate every key
            signs.append(getattr(self._listener.canonical(key), "char", None))
        if sys.platform == "darwin":
            signs.append(_MACOS_KEYS.get(getattr(key, "vk", None) or -1))
        return next((sign.lower() for sign in signs if sign and sign.lower() in self._keys), "")


def _new_listener(**callbacks: Callable[[Any], None]) -> Any:
    """Return a pynput listener whose thread ends with a log line, not with a traceback."""
    from pynput import keyboard

    class Listener(keyboard.Listener):  # type: ignore[misc]
        def run(self) -> None:
            try:
                super().run()
            except Exception as error:
                logging.getLogger(__name__).warning("global hotkeys ended: %s", error)

    return Listener(**callbacks)


def _modifier_name(key: Any) -> str:
    """Return one of `_MODIFIERS`, "alt_gr", or "" for any other key.

    AltGr is not Alt: Windows reports it together with Ctrl, and typing "@" would then be a command.
    """
    name = getattr(key, "name", "") or ""
    if name == "alt_gr":
        return "alt_gr"
    short = name.removesuffix("_l").removesuffix("_r")
    return short if short in _MODIFIERS else ""


def _refused() -> OptionsError:
    if sys.platform == "darwin":
        return OptionsError(
            "global hotkeys",
            "macOS does not let this program see keys",
            "allow your terminal in System Settings > Privacy & Security > Accessibility, and under Input Monitoring",
        )
    return OptionsError("global hotkeys", "the keyboard hook cannot be installed", "use `veneer ctl` instead")
