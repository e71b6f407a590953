"""The table of keys, shared by the preview window, the global hotkeys and the help text."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from types import MappingProxyType

from engines.errors import LookError, OptionsError
from engines.looks import Look
from live.control.controls import Command

_NUMBER_KEYS = "123456789"


# Key name, in lower case: one character, or "esc"; its command, and its help text. An empty text is not listed.
KEYS: Mapping[str, tuple[Command, str]] = MappingProxyType(
    {
        "[": (Command("strength", "-"), "weaker"),
        "]": (Command("strength", "+"), "stronger"),
        "m": (Command("mirror"), "mirror the picture"),
        "f": (Command("freeze"), "freeze the picture"),
        "b": (Command("panic"), "panic: show a still card; again to end"),
        "s": (Command("snapshot"), "snapshot"),
        "r": (Command("record"), "record, again to stop"),
        "h": (Command("help"), "show or hide this help"),
        "q": (Command("quit"), "quit (also Esc)"),
        "esc": (Command("quit"), ""),
    }
)
_OTHER_NAMES = {"\x1b": "esc", "escape": "esc"}


def look_keys(looks: Mapping[str, Look]) -> dict[str, str]:
    """Return the name of the look of each key: the keys that the looks name, then 1 to 9 in the order of the looks.

    A look that names a digit gets no other one. When the digits are used up, a look that names no key gets the first
    free letter of its name. Raises LookError if a look names the key of a command, or of another look.
    """
    chosen: dict[str, str] = {}
    for look in looks.values():
        if look.key in KEYS or look.key in chosen:
            got = f"that key selects look {chosen[look.key]!r}" if look.key in chosen else KEYS[look.key][1]
            raise LookError(look.key_place, f"key = {look.key!r} is in use: {got}", "choose another key")
        if look.key:
            chosen[look.key] = look.name
    free = (key for key in _NUMBER_KEYS if key not in chosen)
    names = dict(zip(free, (name for name, look in looks.items() if not look.key.isdigit()), strict=False)) | chosen
    for name in [name for name in looks if name not in names.values()]:
        letters = (sign for sign in name.lower() if sign in ascii_lowercase)
        if letter := next((letter for letter in letters if letter not in KEYS and letter not in names), ""):
            names[letter] = name
    return names


def command_for_key(key: str, keys_of_looks: Mapping[str, str]) -> Command | None:
    """Return the command of a key; None for a key without one.

    Args:
        key: One character in either case, or "esc" (also "escape" and chr(27)).
        keys_of_looks: See `look_keys`.
    """
    name = key.lower()
    name = _OTHER_NAMES.get(name, name)
    if name in keys_of_looks:
        return Command("look", keys_of_looks[name])
    return KEYS[name][0] if name in KEYS else None


def help_lines(keys_of_looks: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line per key ("2  glaze", "M  mirror the picture"): the looks, then the table."""
    looks = [f"{key.upper()}  {name}" for key, name in keys_of_looks.items()]
    return (*looks, *(f"{key.upper()}  {text}" for key, (_, text) in KEYS.items() if text))


def repeats(key: str) -> bool:
    """Whether a key that is held down gives its command again and again."""
    return key in KEYS and KEYS[key][0].verb == "strength"


def no_display_error(found: str) -> OptionsError:
    """The error for a session without an X display."""
    return OptionsError("global hotkeys", found, "start it inside the desktop session, or use `veneer ctl`")
