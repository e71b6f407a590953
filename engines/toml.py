"""Reading of TOML files, with `tomllib` (Python 3.11) or `tomli`."""

from __future__ import annotations

import sys
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


def read(path: Path) -> dict[str, Any]:
    """Parse a file.

    Raises OSError if it cannot be read, is not a regular file, or is larger than a megabyte; TOMLDecodeError if it is
    not TOML in UTF-8.
    """
    try:
        return loads(read_whole(path, MAX_BYTES).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TOMLDecodeError(f"byte {error.start} is not UTF-8") from None
