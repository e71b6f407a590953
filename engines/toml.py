"""Reading of TOML files, with `tomllib` (Python 3.11) or `tomli`, and the lines of their keys for messages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines.untrusted_files import read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 1_000_000


class TOMLDecodeError(ValueError):
    """A text is not valid TOML; the message says why and where."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """A file that was read: its text, and the tables in it."""

    path: Path
    text: str
    tables: dict[str, Any]

    def place(self, *keys: str) -> str:
        """Return "PATH, line 7", where the innermost of the nested keys is set; "PATH" if no line is found."""
        depth, line = 0, 0
        for number, found in _keys_by_line(self.text):
            if depth < len(found) and found == keys[: len(found)]:
                depth, line = len(found), number
        return f"{self.path}, line {line}" if line else str(self.path)


def _keys_by_line(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield the number and the nested keys of each line that begins a table or sets a key."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            table = _keys(line) or table  # the line of an array is not a table
            yield number, table
        elif "=" in line:
            yield number, (*table, *_keys(f"{line.partition('=')[0]} = 0"))


def _keys(line: str) -> tuple[str, ...]:
    """Return the keys of one line of TOML from the outermost; () if it is not a whole entry."""
    try:
        value: Any = tomllib.loads(line)
    except (ValueError, RecursionError):
        return ()
    keys: list[str] = []
    while isinstance(value, dict) and value:
        key, value = next(iter(value.items()))
        keys.append(key)
    return tuple(keys)


def loads(text: str) -> dict[str, Any]:
    """Parse a text. Raises TOMLDecodeError if it is not TOML, nested too deeply, or has an integer beyond 64 bits."""
    try:
        table = tomllib.loads(text)
        _check_integers(table)
        return table
    except RecursionError:
        raise TOMLDecodeError("it is nested too deeply") from None
    except ValueError as error:  # includes integers with thousands of digits
        raise TOMLDecodeError(str(error)) from None


def _check_integers(value: Any, key: str = "") -> None:
    """Refuse integers beyond 64 bits, as the TOML standard does: later conversions to text or float would fail."""
    if isinstance(value, dict | list):
        for inner, element in value.items() if isinstance(value, dict) else ((key, one) for one in value):
            _check_integers(element, inner)
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"the integer of the key {key[:60]!r} does not fit 64 bits")


def read(path: Path) -> TomlFile:
    """Parse a file. A byte-order mark at its start, which some editors write, is skipped.

    Raises OSError if it cannot be read, is not a regular file, or is larger than a megabyte; TOMLDecodeError if it is
    not TOML in UTF-8.
    """
    try:
        text = read_whole(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TOMLDecodeError(f"byte {error.start} is not UTF-8; save the file as UTF-8") from None
    return TomlFile(path, text, loads(text))
