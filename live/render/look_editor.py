"""Changes of a look while it runs: strengths, colours, finishes, regions, the rule without a face; undo and save."""

from __future__ import annotations

import copy
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engines.errors import OptionsError
from engines.extras import missing_module
from engines.looks import Look
from engines.looks_file import look_tables, parse_look, user_file
from live.control.controls import Command, Controls
from live.render.look_loader import LookLoader

_MAX_UNDO = 100
_LAYER_FORM = "write: layer NUMBER KEY VALUE, for example layer 1 strength 0.5 or layer 1 color #8a1020"
_FALLBACK_FORM = "write: fallback raw, blur, card, or hold SECONDS THEN"


class LookEditor:
    """Executes the commands `layer`, `fallback`, `undo`, `save` and `order`; safe to use from several threads.

    Args:
        controls: Receive the commands.
        look_loader: Loads a changed look; its engines are shared.
        looks_file: That of the run; None for the user's own. `save` and `order` write it.
        finished: Applies to every look that was read, as at the start of the run.
        on_change: Called with the name of a look after its change, and with "" after a change of the order.
    """

    def __init__(
        self,
        controls: Controls,
        look_loader: LookLoader,
        looks_file: Path | None,
        *,
        finished: Callable[[Look], Look],
        on_change: Callable[[str], None],
    ) -> None:
        self._controls, self._look_loader = controls, look_loader
        self._file, self._user_toml = looks_file or user_file(), looks_file
        self._finished, self._on_change = finished, on_change
        self._lock = threading.Lock()
        self._saved: dict[str, dict[str, Any]] | None = None
        self._edited: dict[str, dict[str, Any]] = {}
        self._undo: list[tuple[str, dict[str, Any]]] = []
        commands = {"layer": self._layer, "fallback": self._fallback, "undo": self._undo_last}
        for verb, execute in (commands | {"save": self._save, "order": self._order}).items():
            controls.handle(verb, execute)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return bool(self._undo)

    def table(self, name: str) -> dict[str, Any]:
        """Return the table of a look, as in `looks.toml`, with the changes."""
        if self._saved is None:
            self._saved = look_tables(self._user_toml)
        return copy.deepcopy(self._edited.get(name) or self._saved.get(name) or {"layers": []})

    def is_edited(self, name: str) -> bool:
        """Whether a look differs from its file."""
        return name in self._edited

    def edited(self) -> dict[str, dict[str, Any]]:
        """Return the tables of the looks that differ from their file."""
        return copy.deepcopy(self._edited)

    def _layer(self, argument: str) -> str:
        number, _, rest = argument.partition(" ")
        key, _, value = rest.partition(" ")
        name = self._controls.read().look
        table = self.table(name)
        if not number.isdecimal() or not 1 <= int(number) <= len(table["layers"]) or not key or not value:
            raise OptionsError(f"layer {argument}", f"look {name} has {len(table['layers'])} layers", _LAYER_FORM)
        table["layers"][int(number) - 1][key] = _value(key, value)
        self._change(name, table)
        return f"{name}, layer {number}: {key} {value}"

    def _fallback(self, argument: str) -> str:
        words, name = argument.split(), self._controls.read().look
        table = self.table(name)
        if not 1 <= len(words) <= 3:
            raise OptionsError(f"fallback {argument}", "not a rule", _FALLBACK_FORM)
        table["no_face"] = words[0]
        if len(words) > 1:
            table["hold_s"] = _value("hold_s", words[1])
        if len(words) > 2:
            table["then"] = words[2]
        self._change(name, table)
        return f"{name}, without a face: {argument}"

    def _change(self, name: str, table: dict[str, Any]) -> None:
        """Load the changed look and use it. Raises VeneerError, then nothing is changed."""
        with self._lock:
            before = self.table(name)
            self._look_loader.put(self._finished(parse_look(name, table)))
            if table != before:
                self._undo = [*self._undo[-_MAX_UNDO:], (name, before)]
            self._edited[name] = table
        self._on_change(name)

    def _undo_last(self, argument: str) -> str:
        if argument:
            raise OptionsError(f"undo {argument}", "'undo' takes no argument", "use just 'undo'")
        with self._lock:
            if not self._undo:
                raise OptionsError("undo", "nothing was changed", "")
            name, table = self._undo.pop()
            self._use(name, table)
        self._on_change(name)
        return f"undo: {name} is as before its last change"

    def _use(self, name: str, table: dict[str, Any]) -> None:
        self._look_loader.put(self._finished(parse_look(name, table)))
        self._edited[name] = table
        if self._saved is not None and table == self._saved.get(name):
            del self._edited[name]

    def _save(self, argument: str) -> str:
        """Write the selected look under a name into the looks file and select it; the first loses its changes."""
        from_name, name = self._controls.read().look, argument.strip()
        table = self.table(from_name)
        if name != from_name:
            table.pop("key", None)
            table["about"] = f"{from_name}, changed"
        look = self._finished(parse_look(name, table))
        if name == "none":
            raise OptionsError("save none", "the look none always shows the bare face", "choose another name")
        _looks_writer().save_look(self._file, name, table)
        with self._lock:
            original = None if self._saved is None else self._saved.get(from_name)
            self._saved = look_tables(self._user_toml)
            self._look_loader.put(look)
            if name != from_name and original is not None and from_name in self._edited:
                self._use(from_name, original)
            self._edited.pop(name, None)
            self._undo = []
        self._controls.add_look(name)
        self._controls.apply(Command("look", name))
        self._on_change(name)
        return f"saved {name} in {self._file}"

    def _order(self, argument: str) -> str:
        """Write the order of the looks, a JSON list of names, into the looks file."""
        try:
            names = json.loads(argument)
        except ValueError:
            names = None
        known = self._controls.look_names
        if not isinstance(names, list) or sorted(map(str, names)) != sorted(known):
            raise OptionsError(
                "order", "not a JSON list of all looks", f"send {json.dumps(list(known[:2]))[:-1]}, ...]"
            )
        _looks_writer().save_order(self._file, [str(name) for name in names])
        self._controls.look_names = tuple(map(str, names))
        self._on_change("")
        return "order saved"


def _value(key: str, text: str) -> str | float:
    """Return a number for keys that take one."""
    if key in ("style", "color", "finish", "region", "medium"):
        return text
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text  # the check of the look names the wrong value


def _looks_writer() -> Any:
    """Import the writer, which needs TOML Kit. Raises OptionsError without it."""
    try:
        from live.render import looks_writer
    except ImportError as error:
        raise missing_module(error) or error from error
    return looks_writer
