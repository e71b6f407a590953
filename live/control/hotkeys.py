"""Which key does what: the one table that the preview window, the global keys and the help text share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from live.control.controls import Command

LOOK_KEYS = "123456789"


@dataclass(frozen=True, slots=True)
class Hotkey:
    """What one key does, and how the help says it; an empty help leaves the key out of the list."""

    command: Command
    help: str


# key name -> what it does; names are lower case: one character, or "esc"
KEYS: Mapping[str, Hotkey] = MappingProxyType(
    {
        **{number: Hotkey(Command("look", number), f"look {number}") for number in LOOK_KEYS},
        "[": Hotkey(Command("strength", "-"), "weaker"),
        "]": Hotkey(Command("strength", "+"), "stronger"),
        "m": Hotkey(Command("mirror"), "mirror the picture"),
        "f": Hotkey(Command("freeze"), "freeze the picture"),
        "b": Hotkey(Command("panic"), "panic: a still card at once, again to lift it"),
        "s": Hotkey(Command("snapshot"), "snapshot"),
        "r": Hotkey(Command("record"), "record, again to stop"),
        "h": Hotkey(Command("help"), "show or hide this help"),
        "q": Hotkey(Command("quit"), "quit (also Esc)"),
        "esc": Hotkey(Command("quit"), ""),
    }
)
_OTHER_NAMES = {"\x1b": "esc", "escape": "esc"}


def command_for_key(key: str, look_names: Sequence[str]) -> Command | None:
    """The command of a key, with the look's name in the place of its number.

    Args:
        key: one character, upper or lower case, or "esc" (also "escape" and chr(27)).
        look_names: in the order of their keys.

    Returns:
        None for a key without a meaning, and for a number beyond the looks.
    """
    name = key.lower()
    name = _OTHER_NAMES.get(name, name)
    if len(name) == 1 and name in LOOK_KEYS:
        place = LOOK_KEYS.index(name)
        return Command("look", look_names[place]) if place < len(look_names) else None
    hotkey = KEYS.get(name)
    return hotkey.command if hotkey else None


def help_lines(look_names: Sequence[str]) -> tuple[str, ...]:
    """One line a key ("2  glaze", "M  mirror the picture"), in the order of the table, looks first."""
    looks = [f"{number}  {name}" for number, name in zip(LOOK_KEYS, look_names, strict=False)]
    return (*looks, *(f"{key.upper()}  {it.help}" for key, it in KEYS.items() if it.help and key not in LOOK_KEYS))
