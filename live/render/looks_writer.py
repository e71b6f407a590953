"""Writing of `looks.toml`: the comments, the order and the form of the user's file are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from engines.errors import LookError, os_errors
from engines.files import atomic_write


def save_look(path: Path, name: str, table: Mapping[str, Any]) -> None:
    """Write one look; of one that is there, only what differs is changed. Raises LookError."""
    document = _read(path)
    looks = document.setdefault("looks", tomlkit.table(is_super_table=True))
    if name in looks:
        _merge(looks[name], table)
    else:
        looks.append(name, _new_table(table))
    _write(path, document)


def save_order(path: Path, names: Sequence[str]) -> None:
    """Write the order of the looks, before all tables. Raises LookError."""
    document = _read(path)
    if "order" in document:
        document["order"] = list(names)
        _write(path, document)
        return
    line = f"order = {tomlkit.item(list(names)).as_string()}\n"
    _write(path, tomlkit.parse(line + ("\n" if document.as_string().strip() else "") + document.as_string()))


def _read(path: Path) -> Any:
    if not path.exists():
        return tomlkit.document()
    try:
        with os_errors(f"looks file {path}", "let this user read it", LookError):
            return tomlkit.parse(path.read_text(encoding="utf-8"))
    except (TOMLKitError, ValueError) as error:
        raise LookError(f"looks file {path}", f"not TOML: {error}", "correct it first") from error


def _write(path: Path, document: Any) -> None:
    with os_errors(f"looks file {path}", "let this user write it", LookError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, document.as_string())


def _new_table(table: Mapping[str, Any]) -> Any:
    written = tomlkit.table()
    for key, value in table.items():
        written.add(key, _layers(value) if key == "layers" else value)
    return written


def _layers(layers: Sequence[Mapping[str, Any]]) -> Any:
    """Return an array with one layer a line."""
    array = tomlkit.array().multiline(True)
    for layer in layers:
        inline = tomlkit.inline_table()
        inline.update(dict(layer))
        array.append(inline)
    return array


def _merge(written: Any, table: Mapping[str, Any]) -> None:
    """Change only what differs, so that comments beside the other values stay."""
    for key in [key for key in written if key not in table]:
        del written[key]
    for key, value in table.items():
        if key == "layers" and key in written and len(written[key]) == len(value):
            for old, new in zip(written[key], value, strict=True):
                _merge(old, new)
        elif key not in written or written[key] != value:
            written[key] = _layers(value) if key == "layers" else value
