"""The table of keys, shared by the preview window, the global hotkeys and the help text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from engines.errors import OptionsError
from live.control.controls import Command

LOOK_KEYS = "123456789"


# Key name, in lower case: one character, or "esc"; its command, and its help text. An empty text is not listed.
KEYS: Mapping[str, tuple[Command, str]] = MappingProxyType(
    {
        **{number: (Command("look", number), f"look {number}") for number in LOOK_KEYS},
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


def command_for_key(key: str, look_names: Sequence[str]) -> Command | None:
    """Return the command of a key; None for a key without one, and for a number beyond the last look.

    Args:
        key: One character in either case, or "esc" (also "escape" and chr(27)).
        look_names: In the order of their keys.
    """
    name = key.lower()
    name = _OTHER_NAMES.get(name, name)
    if len(name) == 1 and name in LOOK_KEYS:
        place = LOOK_KEYS.index(name)
        return Command("look", look_names[place]) if place < len(look_names) else None
    return KEYS[name][0] if name in KEYS else None


def help_lines(look_names: Sequence[str]) -> tuple[str, ...]:
    """Return one line per key ("2  glaze", "M  mirror the picture"): the looks, then the table."""
    looks = [f"{number}  {name}" for number, name in zip(LOOK_KEYS, look_names, strict=False)]
    return (*looks, *(f"{key.upper()}  {text}" for key, (_, text) in KEYS.items() if text and key not in LOOK_KEYS))


def repeats(key: str) -> bool:
    """Whether a key that is held down gives its command again and again."""
    return KEYS[key][0].verb == "strength"


def no_display_error(found: str) -> OptionsError:
    """The error for a session without an X display."""
    return OptionsError("global hotkeys", found, "start it inside the desktop session, or use `veneer ctl`")
