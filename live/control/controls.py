"""The settings that change while the program runs, and the commands that change them.

`Controls` holds the settings that change during a run. Keys and `veneer ctl` apply a `Command`; the pipeline reads one
frozen `ControlState` at the start of each frame.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from engines.errors import OptionsError
from engines.text import did_you_mean

if TYPE_CHECKING:
    from engines.looks import Look

STRENGTH_STEP = 0.1
# verb -> the field of ControlState that it toggles
SWITCHES = {
    "mirror": "mirror",
    "freeze": "frozen",
    "panic": "panic",
    "record": "recording",
    "help": "help_shown",
    "bare": "bare_side",
}
VERBS = ("look", "strength", *SWITCHES, "snapshot", "quit", "status")


@dataclass(frozen=True, slots=True)
class Command:
    """One change of the settings, or a query.

    Attributes:
        verb: One of `VERBS`, or of those that parts of the program handle; see `Controls.handle`.
        argument: For `look` a name, or the digit of its key; for `strength` 0.0 to 1.0, "+" or "-"; for the switches
            "on", "off" or None (toggle); for handled verbs what they take; otherwise None.
    """

    verb: str
    argument: str | float | None = None


@dataclass(frozen=True, slots=True)
class ControlState:
    """The settings at one moment.

    Attributes:
        strength: 0 to 1; multiplies the strength of every layer of the look.
        frozen: The last picture is repeated.
        panic: A still card is shown instead of the camera.
        help_shown: The keys are listed in the preview.
        recording: The output is also written to a video file.
        bare_side: The control page shows the side before the split line as captured, also with a covering look. The
            output is the same.
        snapshots: Number of snapshots requested so far; the pipeline takes one at each increase.
    """

    look: str
    strength: float = 1.0
    mirror: bool = False
    frozen: bool = False
    panic: bool = False
    help_shown: bool = False
    recording: bool = False
    quit: bool = False
    snapshots: int = 0
    bare_side: bool = False


def parse_command(words: Sequence[str]) -> Command:
    """Parse the words typed after `veneer ctl`; `Controls.apply` checks the command.

    Args:
        words: The verb and its argument; the case of verbs, "on" and "off" is ignored.

    Raises:
        OptionsError: There are no words.
    """
    if not words:
        raise OptionsError("command", "none given", f"use one of: {', '.join(VERBS)}")
    verb, rest = words[0].lower(), " ".join(words[1:]).strip()
    return Command(verb, (rest.lower() if verb in SWITCHES else rest) or None)


def find_look(name: str, look_names: Sequence[str], keys: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the look with that name (case is ignored) or, if there is none, of that digit.

    Args:
        keys: Names of looks by their keys, of which the digits count.

    Raises:
        OptionsError: There is no such look; the message suggests similar names.
    """
    if name in look_names:
        return name
    for known in look_names:
        if known.casefold() == name.casefold():
            return known
    if name.isdigit() and name in keys:
        return keys[name]
    do = did_you_mean(name, look_names, otherwise=_choices(look_names))
    raise OptionsError(f"look {_short(name)}", "there is no such look", do)


class Controls:
    """The settings of the running program. Any thread may read them and apply commands.

    Args:
        look_names: In their order.
        look, strength, mirror: The initial settings.

    Attributes:
        keys: Names of looks by their keys; numbers from 1 until they are set.

    Raises:
        OptionsError: The look is unknown, or the strength is not between 0 and 1.
    """

    def __init__(self, look_names: Sequence[str], *, look: str, strength: float = 1.0, mirror: bool = False) -> None:
        self.look_names = tuple(look_names)
        self.keys: Mapping[str, str] = {str(number): name for number, name in enumerate(look_names, 1)}
        self._looks: Mapping[str, Look] = {}
        self._lock = threading.Lock()
        self._handlers: dict[str, Callable[[str], str]] = {}
        self._followers: tuple[Callable[[], None], ...] = ()
        self._state = ControlState(find_look(look, self.look_names, self.keys), _strength(strength), mirror)

    def read(self) -> ControlState:
        """Return the current settings, all of the same moment. Takes no lock."""
        return self._state

    def set_looks(self, looks: Mapping[str, Look]) -> None:
        """Set the looks by name; called once, before the first frame."""
        self._looks = looks

    def look_of(self, state: ControlState) -> Look | None:
        """Return the requested look, loaded or not; None before `set_looks`."""
        return self._looks.get(state.look)

    def add_look(self, name: str) -> None:
        """Make another look selectable, after the others."""
        with self._lock:
            if name not in self.look_names:
                self.look_names = (*self.look_names, name)

    def handle(self, verb: str, handler: Callable[[str], str]) -> None:
        """Let a part of the program execute the commands of a verb.

        Args:
            verb: Not one of `VERBS`.
            handler: Called with the argument, "" if there is none, in the thread that applies the command. Returns one
                line; raises VeneerError if it changes nothing.
        """
        self._handlers[verb] = handler

    def follow(self, on_change: Callable[[], None]) -> None:
        """Add a function that is called after each command that was executed, in the thread that applied it."""
        self._followers = (*self._followers, on_change)

    @property
    def verbs(self) -> tuple[str, ...]:
        """All verbs that can be applied now."""
        return (*VERBS, *self._handlers)

    def apply(self, command: Command) -> str:
        """Execute a command.

        Returns:
            One line with the new setting ("look glaze").

        Raises:
            OptionsError: The look, verb or value is unknown; nothing is changed.
        """
        handler = self._handlers.get(command.verb)
        if handler is not None:
            message = handler("" if command.argument is None else str(command.argument))
        elif command.verb in VERBS:
            with self._lock:
                self._state, message = _execute(self._state, command, self.look_names, self.keys)
        else:
            do = did_you_mean(command.verb, self.verbs, otherwise=f"use one of: {', '.join(self.verbs)}", cutoff=0.5)
            raise OptionsError(f"command {_short(command.verb)}", "there is no such command", do)
        for on_change in self._followers:
            on_change()
        return message


def _execute(
    state: ControlState, command: Command, look_names: Sequence[str], keys: Mapping[str, str]
) -> tuple[ControlState, str]:
    """Return the settings after the command, and the line that describes them."""
    verb, argument = command.verb, command.argument
    if verb == "look":
        if argument is None:
            raise OptionsError("command 'look'", "the name is missing", _choices(look_names))
        state = replace(state, look=find_look(str(argument), look_names, keys))
        return state, f"look {state.look}"
    if verb == "strength":
        step = {"+": STRENGTH_STEP, "-": -STRENGTH_STEP}.get(str(argument))
        strength = _strength(argument) if step is None else min(1.0, max(0.0, round(state.strength + step, 3)))
        return replace(state, strength=strength), f"strength {strength:g}"
    if verb in SWITCHES:
        if argument not in (None, "on", "off"):
            requested = f"{verb} {_short(str(argument))}"
            raise OptionsError(requested, "neither on nor off", f"use {verb!r} alone, or with on or off")
        field = SWITCHES[verb]
        on = not getattr(state, field) if argument is None else argument == "on"
        return replace(state, **{field: on}), f"{verb} {'on' if on else 'off'}"  # type: ignore[arg-type]
    if argument is not None:
        raise OptionsError(
            f"command {_short(f'{verb} {argument}')}", f"{verb!r} takes no argument", f"use just {verb!r}"
        )
    if verb == "snapshot":
        return replace(state, snapshots=state.snapshots + 1), f"snapshot {state.snapshots + 1}"
    if verb == "quit":
        return replace(state, quit=True), "quit"
    on_verbs = [f"{verb} on" for verb, field in SWITCHES.items() if getattr(state, field)]
    return state, ", ".join([f"look {state.look}", f"strength {state.strength:g}", *on_verbs])


def _strength(value: object) -> float:
    """Convert to a number from 0 to 1."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        missing = value in ("", None)
        requested = "strength" if missing else f"strength {_short(str(value))}"
        got = "the value is missing" if missing else "not a number from 0 to 1"
        raise OptionsError(requested, got, "use 0 (none) to 1 (full), + or -")
    return number


def _choices(names: Sequence[str]) -> str:
    return f"choose from: {', '.join(names[:12])}" + (", ..." if len(names) > 12 else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
