"""The keys of the preview, together with Ctrl+Alt, while any other window has the focus."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engines.errors import OptionsError, VeneerError
from live.control.controls import Command, nearest_names
from live.control.hotkeys import KEYS, command_for_key

MODIFIERS = ("ctrl", "alt", "shift", "cmd")
_START_TIMEOUT_S, _STOP_TIMEOUT_S = 2.0, 1.5
# A modifier's release can pass unseen (Ctrl+Alt+Del, a locked screen); without this, typing would command us after.
_HELD_AT_MOST_S = 10.0
# X11 key symbols: AltGr (ISO_Level3_Shift), and what Alt becomes where Shift is held before it (Meta).
_X11_ALT_GR, _X11_META = 0xFE03, (0xFFE7, 0xFFE8)
# macOS turns Option+letter into another sign; there the key's place on the US keyboard stands in.
_MACOS_KEYS = dict(zip((18, 19, 20, 21, 23, 22, 26, 28, 25, 33, 30), "123456789[]", strict=True)) | dict(
    zip((46, 3, 11, 1, 15, 4, 12), "mfbsrhq", strict=True)
)


def session_problem(environ: Mapping[str, str] | None = None, platform: str = sys.platform) -> OptionsError | None:
    """Why this desktop session gives no global keys, as far as the environment tells; None where it may."""
    environ = os.environ if environ is None else environ
    if platform in ("win32", "darwin"):
        return None
    display, wayland = environ.get("DISPLAY"), environ.get("WAYLAND_DISPLAY")
    if environ.get("XDG_SESSION_TYPE", "").lower() == "wayland" or (wayland and not display):
        return _wayland()
    return None if display else _no_display("DISPLAY is not set")


class GlobalHotkeys:
    """Listens to the keyboard of the whole session, and commands on modifiers + key.

    A key held down commands once, but for strength, which goes on. Esc is left alone: desktops use Ctrl+Alt+Esc.
    On X11 with several layouts at once, a sign that is on the same key in any of them counts.

    Args:
        on_command: takes the command, from the listening thread; should return at once.
        look_names: in the order of their keys.
        modifiers: what must be held, joined by "+": ctrl, alt, shift, cmd (the Windows or Super key).

    Raises:
        OptionsError: the modifiers make no sense.
    """

    def __init__(
        self, on_command: Callable[[Command], object], look_names: Sequence[str], *, modifiers: str = "ctrl+alt"
    ) -> None:
        self._on_command, self._look_names = on_command, tuple(look_names)
        self._wanted = _parse_modifiers(modifiers)
        self._held: dict[str, float] = {}
        self._alt_gr = False
        self._last_key = ""
        self._listener: Any = None

    def start(self) -> None:
        """Begin to listen; nothing happens where it listens already.

        Raises:
            OptionsError: this session hands out no keys (Wayland, no display, no permission on macOS).
        """
        if self._listener is not None:
            return
        if (problem := session_problem()) is not None:
            raise problem
        try:
            listener = _make_listener(on_press=self._press, on_release=self._release)
        except ImportError as error:  # how pynput says that it cannot reach the display
            unreachable = _no_display(f"display {os.environ.get('DISPLAY', '')!r} cannot be reached")
            raise (_wayland() if os.environ.get("WAYLAND_DISPLAY") else unreachable) from error
        self._held, self._alt_gr, self._last_key = {}, False, ""
        self._listener = listener
        listener.start()
        # pynput's own wait has no limit and outlasts a thread that failed
        waiter = threading.Thread(target=listener.wait, name="hotkeys-wait", daemon=True)
        waiter.start()
        waiter.join(_START_TIMEOUT_S)
        ready = not waiter.is_alive()
        if ready and listener.is_alive() and getattr(listener, "IS_TRUSTED", True):
            return
        if ready:
            self.stop()
        self._listener = None  # one that is not ready cannot be stopped without waiting for it; nobody heeds it now
        raise _not_heard()

    def stop(self) -> None:
        """Stop listening, within 2 s. Idempotent; never raises."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(Exception):  # the display may be gone, or the thread ending
            listener.stop()
            # pynput 1.8 asks X11 to stop over the very connection that X11 reads nothing from while it records.
            if (second := getattr(listener, "_display_stop", None)) is not None:
                second.record_disable_context(listener._context)
                second.flush()
        with contextlib.suppress(Exception):  # join raises what ended the thread, and where it is called from it
            listener.join(_STOP_TIMEOUT_S)

    def _press(self, key: Any) -> None:
        name, now_s, listener = _modifier_name(key), time.monotonic(), self._listener
        if listener is None:
            return
        if name == "alt_gr":
            self._alt_gr = True
        elif name:
            self._held[name] = now_s
        elif self._modifiers_held(now_s):
            command_key = _command_key(key, listener, self._alt_gr)
            if command_key and (command_key != self._last_key or KEYS[command_key].command.verb == "strength"):
                self._held = dict.fromkeys(self._held, now_s)
                self._give(command_key)
            self._last_key = command_key

    def _release(self, key: Any) -> None:
        name = _modifier_name(key)
        if name == "alt_gr":
            self._alt_gr = False
        elif name:
            self._held.pop(name, None)
        else:
            self._last_key = ""

    def _modifiers_held(self, now_s: float) -> bool:
        held = {name for name, since_s in self._held.items() if now_s - since_s < _HELD_AT_MOST_S}
        # Shift may be added, since some layouts have their digits there; any other one makes it another program's key.
        return self._wanted <= held and held - self._wanted <= {"shift"}

    def _give(self, command_key: str) -> None:
        try:
            if command := command_for_key(command_key, self._look_names):
                self._on_command(command)
        except VeneerError as error:
            logging.getLogger(__name__).warning("%s", error)


def _parse_modifiers(modifiers: str) -> frozenset[str]:
    names = [name.strip().lower() for name in modifiers.split("+")]
    for name in names:
        if name not in MODIFIERS:
            raise OptionsError(f"modifiers {modifiers!r}", f"{name!r} is none", nearest_names(name, MODIFIERS))
    if set(names) <= {"shift"}:
        raise OptionsError(f"modifiers {modifiers!r}", "typing would trigger commands", "add ctrl, alt or cmd")
    return frozenset(names)


def _make_listener(**callbacks: Callable[[Any], None]) -> Any:
    """A pynput listener whose thread ends in silence when the display goes away.

    Raises:
        ImportError: the display cannot be reached.
    """
    from pynput import keyboard

    class Listener(keyboard.Listener):  # type: ignore[misc]
        def run(self) -> None:
            try:
                super().run()
            except Exception as error:
                logging.getLogger(__name__).warning("the global keys have ended: %s", error)

    return Listener(**callbacks)


def _modifier_name(key: Any) -> str:
    """One of MODIFIERS, "alt_gr", or "" for any other key.

    AltGr is no Alt: Windows reports it together with a Ctrl, and typing "@" would then be a command.
    """
    name = getattr(key, "name", "") or ""
    if name == "alt_gr" or getattr(key, "vk", None) == _X11_ALT_GR:
        return "alt_gr"
    if getattr(key, "vk", None) in _X11_META:
        return "alt"
    short = name.removesuffix("_l").removesuffix("_r")
    return short if short in MODIFIERS else ""


def _command_key(key: Any, listener: Any, alt_gr: bool) -> str:
    """The key of the table that was meant, or "".

    First the sign that the key gives as it is pressed, then the one it gives by itself, then, for the layouts that
    have brackets or digits behind a modifier, any other sign on that key.
    """
    signs = [getattr(key, "char", None)]
    with contextlib.suppress(Exception):  # a key that pynput cannot translate has only its own sign
        signs.append(getattr(listener.canonical(key), "char", None))
    if sys.platform == "darwin":
        signs.append(_MACOS_KEYS.get(getattr(key, "vk", None) or -1))
    keysym = getattr(key, "vk", None)
    if keysym and sys.platform not in ("darwin", "win32") and (alt_gr or not _in_table(signs)):
        by_alt_gr, others = _x11_signs(keysym)
        signs = [*(by_alt_gr if alt_gr else ()), *signs, *others]
    return _in_table(signs)


def _in_table(signs: Sequence[str | None]) -> str:
    return next((sign.lower() for sign in signs if sign and sign.lower() in KEYS), "")


def _x11_signs(keysym: int) -> tuple[list[str], list[str]]:
    """The signs on the key that gives this symbol: those reached with AltGr, and all of them.

    pynput knows nothing of AltGr under XKB and reports the plain sign. Asked afresh each time, because the user may
    change the layout; it takes some milliseconds, and only modifiers + an unknown key come here.
    """
    xlib = importlib.import_module("Xlib.display")  # comes with pynput on Linux
    try:
        connection = xlib.Display()
    except Exception:  # the display is going away
        return [], []
    with contextlib.closing(connection):
        info = connection.display.info
        rows = connection.get_keyboard_mapping(info.min_keycode, info.max_keycode - info.min_keycode + 1)
    row = next((list(row) for row in rows if keysym in row[:4]), [])
    # Of Latin-1 the symbol's number is the sign's; the first group's third and fourth level follow the two groups.
    return [chr(symbol) for symbol in row[4:6] if 32 < symbol < 127], [chr(it) for it in row if 32 < it < 127]


def _wayland() -> OptionsError:
    return OptionsError(
        "global hotkeys",
        "this is a Wayland session, and Wayland does not hand keys to programs that have no focus",
        "make a desktop shortcut that calls `veneer ctl look glaze`: it does the same",
    )


def _no_display(got: str) -> OptionsError:
    return OptionsError("global hotkeys", got, "start it inside the desktop session, or use `veneer ctl`")


def _not_heard() -> OptionsError:
    if sys.platform == "darwin":
        return OptionsError(
            "global hotkeys",
            "macOS does not let this program see keys",
            "allow your terminal in System Settings > Privacy & Security > Accessibility, and under Input Monitoring",
        )
    return OptionsError("global hotkeys", "the keyboard cannot be listened to", "use `veneer ctl` instead")
