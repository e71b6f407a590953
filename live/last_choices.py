"""The look, source and outputs of the last run that `veneer` without a command started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError, os_errors
from engines.files import atomic_write
from engines.looks_file import load_looks
from engines.paths import config_dir
from live.option_values import parse_size
from live.options import LiveOptions
from live.sources.source_choice import first_camera, is_there
from live.tracking.quiet_stderr import say_line

if TYPE_CHECKING:
    from live.session import Session

REMEMBERED_SINKS = ("virtual-camera", "window")  # kinds; a file would be written over


def last_file() -> Path:
    """Return the path of the file, which may not exist."""
    return config_dir() / "last.json"


def load() -> dict[str, Any]:
    """Return the remembered options, by field name of `LiveOptions`; only those that can be used now."""
    try:
        with os_errors(f"file {last_file()}", "delete it"):
            found = json.loads(last_file().read_text(encoding="utf-8")) if last_file().is_file() else {}
        given = _checked(found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OptionsError) as error:
        say_line(f"veneer: {last_file()} is not used: {error}")
        given = {}
    if given.get("look") not in load_looks():
        given.pop("look", None)
    if "source" in given and not is_there(given["source"]):
        for name in ("source", "size_wh", "fps"):
            del given[name]
    return given


def _checked(found: dict[str, Any]) -> dict[str, Any]:
    """Return the values of the file by field name. Raises if they are not those of a run."""
    if not found:
        return {}
    sinks = tuple(str(one) for one in found["sinks"] if str(one).partition(":")[0] in REMEMBERED_SINKS)
    given: dict[str, Any] = {
        "look": str(found["look"]),
        "source": str(found["source"]),
        "size_wh": parse_size(found["size"]),
        "fps": float(found["fps"]),
        "mirror": found["mirror"] is True,
    }
    given |= {"sinks": sinks} if sinks else {}
    LiveOptions(**given)
    return given


def with_camera(options: LiveOptions, given: dict[str, Any]) -> dict[str, Any]:
    """Add the first camera, if neither the file nor the settings name a source."""
    if "source" in given or "source" in options.places:
        return given
    return given | {"source": first_camera()}


class LastChoices:
    """Writes the file after a command that changed something of it. Safe to use from any thread.

    Args:
        session: The run.
        sinks: Remembered until others are switched on; some of them may not work now.
    """

    def __init__(self, session: Session, sinks: Sequence[str]) -> None:
        self._session = session
        self._written = ""
        self._sinks = [name for name in sinks if name.partition(":")[0] in REMEMBERED_SINKS]

    def save(self) -> None:
        """Write the file if something has changed; a file that cannot be written is reported once."""
        session = self._session
        state, choice = session.controls.read(), session.source_choice
        used = [str(one["sink"]) for one in session.pipeline.sinks.counts()]
        self._sinks = [name for name in used if name.partition(":")[0] in REMEMBERED_SINKS] or self._sinks
        text = json.dumps(
            {
                "look": state.look,
                "mirror": state.mirror,
                "source": choice.source,
                "size": str(choice.size_wh),
                "fps": choice.fps,
                "sinks": self._sinks,
            },
            indent=2,
        )
        if text == self._written:
            return
        self._written = text
        try:
            last_file().parent.mkdir(parents=True, exist_ok=True)
            atomic_write(last_file(), text + "\n")
        except OSError as error:
            session.say(f"the last settings cannot be kept in {last_file()}: {error.strerror or error}")
