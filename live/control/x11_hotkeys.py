"""Global hotkeys under X11: passive grabs of Ctrl+Alt+key, in pure Python (python-xlib).

A grab takes the combination out of what other programs see, needs no X extension, and leaves the tracking of modifier
keys to the server.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import select
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from Xlib import XK, X
from Xlib.display import Display
from Xlib.error import BadAccess, CatchError, DisplayError, XauthError

from engines.errors import OptionsError
from live.control.hotkeys import no_display_error, repeats

_STOP_TIMEOUT_S = 1.5
_REPEAT_GAP_MS = 1  # the server repeats a held key as release + press with one time stamp
_CTRL, _ALT = ("Control_L",), ("Alt_L", "Meta_L")
_ALT_GR, _NUM_LOCK = ("ISO_Level3_Shift", "Mode_switch"), ("Num_Lock",)
_KEYPAD_DIGITS = {0xFFB0 + digit: str(digit) for digit in range(10)}  # XK_KP_0 ...
_GROUP_SHIFT, _GROUP_MASK = 13, 3  # where an event's state holds the active layout


class X11Listener:
    """Grabs Ctrl+Alt+key for keys in lower case on the root window, and calls back with the key in its own thread."""

    def __init__(self, on_key: Callable[[str], object], keys: frozenset[str]) -> None:
        self._on_key, self._keys = on_key, keys
        self._display: Any = None
        self._rows: dict[int, list[int]] = {}  # the keysyms of each grabbed key code
        self._granted: frozenset[tuple[int, int]] = frozenset()  # (key code, modifier mask)
        self._level3_mask = self._num_lock_mask = 0
        self._wake_fds = (-1, -1)
        self._thread: threading.Thread | None = None
        self._held_code, self._released_ms = 0, 0

    def start(self) -> None:
        """Connect, grab, and start the listening thread. Raises OptionsError."""
        try:
            self._display = Display()
        except (DisplayError, XauthError, OSError, OverflowError) as error:  # overflow: a port beyond 65535
            raise no_display_error(f"display {os.environ.get('DISPLAY', '')!r} cannot be reached") from error
        try:
            taken = self._grab()
            if taken and not self._rows:
                raise OptionsError("global hotkeys", "another program holds all of them", "use `veneer ctl` instead")
            _warn_of(taken)
        except BaseException:
            self._display.close()
            raise
        self._wake_fds = os.pipe()
        self._thread = threading.Thread(target=self._listen, name="global-hotkeys", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Release the grabs and end the thread; idempotent, never raises."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with contextlib.suppress(OSError):
            os.close(self._wake_fds[1])
        if thread is not threading.current_thread():
            thread.join(_STOP_TIMEOUT_S)

    def _listen(self) -> None:
        wake_fd = self._wake_fds[0]
        try:
            while True:
                while self._display.pending_events():
                    self._handle(self._display.next_event())
                if wake_fd in select.select([self._display, wake_fd], [], [])[0]:
                    break
        except Exception as error:  # the server is gone
            logging.getLogger(__name__).warning("global hotkeys ended: %s", error)
        finally:
            os.close(wake_fd)
            with contextlib.suppress(Exception):
                self._display.close()

    def _handle(self, event: Any) -> None:
        if event.type == X.MappingNotify:  # the user changed the layout
            self._display.refresh_keyboard_mapping(event)
            before = self._granted
            _warn_of(self._grab())
            for code, mask in before - self._granted:  # after the new grabs: no key is lost in between
                self._root.ungrab_key(code, mask)
        elif event.type == X.KeyRelease:
            self._released_ms = event.time
        elif event.type == X.KeyPress and event.detail in self._rows:
            key = self._key_of(self._rows[event.detail], event.state)
            held = event.detail == self._held_code and abs(event.time - self._released_ms) <= _REPEAT_GAP_MS
            self._held_code = event.detail
            if key and (not held or repeats(key)):
                self._on_key(key)

    @property
    def _root(self) -> Any:
        return self._display.screen().root

    def _grab(self) -> set[str]:
        """Grab every key code that carries a requested character; return the characters that other programs hold."""
        self._level3_mask, self._num_lock_mask = self._mask(_ALT_GR), self._mask(_NUM_LOCK)
        self._rows = {}
        granted: set[tuple[int, int]] = set()
        taken: set[str] = set()
        for code, row in self._keyboard_rows():
            signs = {sign for sign in map(_sign, row) if sign in self._keys}
            if not signs:
                continue
            refused = CatchError(BadAccess)
            masks = self._masks(keypad=any(keysym in _KEYPAD_DIGITS for keysym in row))
            for mask in masks:
                self._root.grab_key(code, mask, False, X.GrabModeAsync, X.GrabModeAsync, onerror=refused)
            self._display.sync()
            if refused.get_error():
                taken |= signs
                for mask in masks:  # the combinations that were granted would have no effect
                    self._root.ungrab_key(code, mask)
            else:
                self._rows[code] = row
                granted.update((code, mask) for mask in masks)
        self._granted = frozenset(granted)
        free = {sign for row in self._rows.values() for sign in map(_sign, row)}
        return taken - free

    def _keyboard_rows(self) -> Iterator[tuple[int, list[int]]]:
        info = self._display.display.info
        rows = self._display.get_keyboard_mapping(info.min_keycode, info.max_keycode - info.min_keycode + 1)
        for code, row in enumerate(rows, info.min_keycode):
            yield code, list(row)

    def _masks(self, *, keypad: bool) -> list[int]:
        """Return every modifier state under which a key counts.

        CapsLock and NumLock do not matter. Shift and AltGr may be added, since layouts have digits and brackets there.
        """
        required = self._mask(_CTRL) | self._mask(_ALT)
        optional = {X.ShiftMask, X.LockMask, self._num_lock_mask, self._level3_mask} - {0}
        sets = itertools.chain.from_iterable(itertools.combinations(optional, n) for n in range(len(optional) + 1))
        masks = sorted({required | sum(added) for added in sets})
        # the keypad gives digits with either Shift or NumLock
        return [m for m in masks if not keypad or bool(m & X.ShiftMask) != bool(m & self._num_lock_mask)]

    def _mask(self, keysym_names: Sequence[str]) -> int:
        """Return the modifier bit to which one of these keys is mapped; 0 if there is none."""
        codes = {self._display.keysym_to_keycode(XK.string_to_keysym(name)) for name in keysym_names} - {0}
        for index, mapped in enumerate(self._display.get_modifier_mapping()):
            if codes & set(mapped):
                return 1 << index
        return 0

    def _key_of(self, row: list[int], state: int) -> str:
        """Return the key that a key code means in this modifier state: the active layout's character first."""
        # Core keyboard mapping: two levels of the first layout, two of the second, then levels 3 and 4 of the first.
        groups = [row[0:2], row[2:4]]
        if state >> _GROUP_SHIFT & _GROUP_MASK == 1:
            groups.reverse()
        plain = [keysym for levels in groups for keysym in (reversed(levels) if state & X.ShiftMask else levels)]
        ordered = [*row[4:6], *plain] if state & self._level3_mask else [*plain, *row[4:6]]
        return next((sign for sign in map(_sign, ordered) if sign in self._keys), "")


def _warn_of(taken: set[str]) -> None:
    if taken:
        line = "global hotkeys: another program holds the key combinations of %s"
        logging.getLogger(__name__).warning(line, ", ".join(sorted(taken)))


def _sign(keysym: int) -> str:
    """Return the character of a keysym in lower case; keysyms of Latin-1 have the character's number."""
    return chr(keysym).lower() if 32 < keysym < 127 else _KEYPAD_DIGITS.get(keysym, "")
