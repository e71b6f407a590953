"""What can change while the program runs, and the commands that change it.

`Controls` is the only mutable state: keys, `veneer ctl` and the panel all make a `Command` and apply it; the pipeline
reads one frozen `ControlState` at the top of each frame.
"""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engines.errors import OptionsError

if TYPE_CHECKING:
    from engines.looks import Look

STRENGTH_STEP = 0.1
# verb -> the field of ControlState that it switches
SWITCHES = {"mirror": "mirror", "freeze": "frozen", "panic": "panic", "record": "recording", "help": "help_shown"}
# verb -> what may follow it
VERBS = {
    "look": "NAME or its number",
    "strength": "0 to 1, + or -",
    "mirror": "[on|off]",
    "freeze": "[on|off]",
    "panic": "[on|off]",
    "snapshot": "",
    "record": "[on|off]",
    "help": "[on|off]",
    "quit": "",
    "status": "",
}


@dataclass(frozen=True, slots=True)
class Command:
    """One change, or one question.

    Attributes:
        verb: one of `VERBS`.
        argument: a look's name or number (counted from 1) for `look`; 0.0 to 1.0, "+" or "-" for `strength`;
            "on", "off" or None (the other way round) for the switches; None for the rest.
    """

    verb: str
    argument: str | float | None = None


@dataclass(frozen=True, slots=True)
class ControlState:
    """How things are set just now.

    Attributes:
        look: the name of the look being worn.
        strength: 0 to 1; multiplies the strength of every layer of the look.
        mirror: the picture is flipped left to right.
        frozen: the last picture stays.
        panic: a still card is shown instead of the camera.
        help_shown: the keys are listed in the preview.
        recording: what goes out is also written to a video file.
        quit: the program should end.
        snapshots: how many were asked for so far; the pipeline takes one when it rises.
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


def parse_command(words: Sequence[str], look_names: Sequence[str] | None = None) -> Command:
    """The command that the words say, as typed after `veneer ctl`.

    Args:
        words: the verb and what follows it; verbs, "on" and "off" may be written in capitals.
        look_names: where given, a look must be one of them, and its number is replaced by its name.

    Raises:
        OptionsError: no such verb, or what follows does not fit it.
    """
    if not words:
        raise OptionsError("a command", "nothing was said", f"say one of: {', '.join(VERBS)}")
    verb, rest = words[0].lower(), " ".join(words[1:]).strip()
    if verb not in VERBS:
        raise OptionsError(f"command {_short(words[0])}", "there is no such command", nearest_names(verb, list(VERBS)))
    if verb == "look":
        if not rest:
            raise OptionsError("command 'look'", "it does not say which", _choices(look_names))
        return Command("look", rest if look_names is None else find_look(rest, look_names))
    if verb == "strength":
        return Command("strength", rest if rest in ("+", "-") else _strength(rest))
    if verb in SWITCHES:
        return Command(verb, _switch(verb, rest.lower() or None))
    if rest:
        raise OptionsError(f"command {_short(' '.join(words))}", f"nothing may follow {verb!r}", f"say just {verb!r}")
    return Command(verb)


def find_look(name: str, look_names: Sequence[str]) -> str:
    """The look with that name (capitals do not matter) or, failing that, with that number counted from 1.

    Raises:
        OptionsError: there is no such look; names the nearest.
    """
    if name in look_names:
        return name
    for known in look_names:
        if known.casefold() == name.casefold():
            return known
    if name.isascii() and name.isdigit() and len(name) <= 4 and 1 <= int(name) <= len(look_names):
        return look_names[int(name) - 1]
    raise OptionsError(f"look {_short(name)}", "there is no such look", nearest_names(name, look_names))


def nearest_names(name: str, names: Sequence[str]) -> str:
    """A hint: the names most like the one that was asked for, or else the choice there is."""
    by_folded = {known.casefold(): known for known in names}
    near = [
        by_folded[folded] for folded in difflib.get_close_matches(name.casefold()[:100], by_folded, n=3, cutoff=0.5)
    ]
    return f"did you mean {' or '.join(near)}?" if near else _choices(names)


class Controls:
    """The settings of the running program; any thread may apply commands, any may read.

    Args:
        look_names: in the order of their keys.
        look: the one to begin with.
        strength: 0 to 1.
        mirror: whether the picture starts flipped.

    Raises:
        OptionsError: an unknown look, or a strength outside 0 to 1.
    """

    def __init__(self, look_names: Sequence[str], *, look: str, strength: float = 1.0, mirror: bool = False) -> None:
        self.look_names = tuple(look_names)
        self._looks: Mapping[str, Look] = {}
        self._lock = threading.Lock()
        self._state = ControlState(find_look(look, self.look_names), _strength(strength), mirror)

    def read(self) -> ControlState:
        """The settings of this moment, all from one and the same moment; takes no lock."""
        return self._state

    def know(self, looks: Mapping[str, Look]) -> None:
        """Take the looks behind the names; done once, before the first frame."""
        self._looks = looks

    def look_of(self, state: ControlState) -> Look | None:
        """The look that is asked for, ready or not; None where only names are known."""
        return self._looks.get(state.look)

    def apply(self, command: Command) -> str:
        """Do what the command says.

        Returns:
            One line saying what is now so ("look glaze").

        Raises:
            OptionsError: an unknown look, verb or value; nothing is changed then.
        """
        with self._lock:
            self._state, says = _after(self._state, command, self.look_names)
        return says


def _after(state: ControlState, command: Command, look_names: Sequence[str]) -> tuple[ControlState, str]:
    """The settings once the command is done, and the line that says so."""
    verb, argument = command.verb, command.argument
    if verb == "look":
        state = replace(state, look=find_look(str(argument or ""), look_names))
        return state, f"look {state.look}"
    if verb == "strength":
        step = {"+": STRENGTH_STEP, "-": -STRENGTH_STEP}.get(str(argument))
        wanted = _strength(argument) if step is None else min(1.0, max(0.0, round(state.strength + step, 3)))
        return replace(state, strength=wanted), f"strength {wanted:g}"
    if verb in SWITCHES:
        field, asked = SWITCHES[verb], _switch(verb, argument)
        on = not getattr(state, field) if asked is None else asked == "on"
        changed = replace(state, **{field: on})  # type: ignore[arg-type]
        return changed, f"{verb} {'on' if on else 'off'}"
    if verb == "snapshot":
        return replace(state, snapshots=state.snapshots + 1), f"snapshot {state.snapshots + 1}"
    if verb == "quit":
        return replace(state, quit=True), "quit"
    if verb == "status":
        return state, _summary(state)
    raise OptionsError(f"command {_short(verb)}", "there is no such command", nearest_names(verb, list(VERBS)))


def _summary(state: ControlState) -> str:
    on = [verb for verb, field in SWITCHES.items() if getattr(state, field)]
    return ", ".join([f"look {state.look}", f"strength {state.strength:g}", *(f"{verb} on" for verb in on)])


def _strength(value: object) -> float:
    """A number from 0 to 1 out of what was said; not-a-number and the infinite are refused like any other."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not 0.0 <= number <= 1.0:
        got = "it does not say how strong" if value in ("", None) else "it is not a number from 0 to 1"
        asked = "strength" if value in ("", None) else f"strength {_short(str(value))}"
        raise OptionsError(asked, got, "say 0 (nothing) to 1 (full), + or -")
    return number


def _switch(verb: str, argument: object) -> str | None:
    if argument is None or argument in ("on", "off"):
        return argument
    raise OptionsError(f"{verb} {_short(str(argument))}", "it is neither on nor off", f"say {verb!r}, on or off")


def _choices(names: Sequence[str] | None) -> str:
    if not names:
        return "say a look's name or its number"
    return f"choose from: {', '.join(names[:12])}" + (", ..." if len(names) > 12 else "")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
