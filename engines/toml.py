"""TOML reading: from the standard library where Python has it (3.11), else from its twin `tomli`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from engines.untrusted_files import read_whole

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES = 1_000_000


class TOMLDecodeError(ValueError):
    """A text is no TOML; why, and where."""


def loads(text: str) -> dict[str, Any]:
    """The tables of a text.

    Raises:
        TOMLDecodeError: it is no TOML, or nests deeper or counts higher than Python can follow.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise TOMLDecodeError("it is nested too deeply") from None
    except ValueError as error:  # among them: a whole number with thousands of digits
        raise TOMLDecodeError(str(error)) from None


def read(path: Path) -> dict[str, Any]:
    """The tables of a file.

    Raises:
        OSError: it cannot be read, is no plain file, or is larger than a megabyte.
        TOMLDecodeError: it is no TOML in UTF-8.
    """
    try:
        return loads(read_whole(path, MOST_BYTES).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise TOMLDecodeError(f"byte {error.start} is no UTF-8") from None
