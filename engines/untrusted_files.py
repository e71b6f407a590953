"""Reading of untrusted files with a size limit, and display of their values in messages."""

from __future__ import annotations

import errno
import json
import os
import reprlib
import stat
from pathlib import Path
from typing import Any

_MAX_CHARACTERS = 60
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = _MAX_CHARACTERS
_repr.maxlevel = 2


def plain_size(path: Path, max_bytes: int) -> int:
    """Return the size of a regular file in bytes.

    Raises OSError if it does not exist, is a pipe or device (which might have no end), or is larger than `max_bytes`.
    """
    info = path.stat()
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "it is not a regular file")
    if info.st_size > max_bytes:
        raise OSError(errno.EFBIG, f"it has {info.st_size / 1e6:.1f} MB, more than {max_bytes / 1e6:g}")
    return info.st_size


def read_whole(path: Path, max_bytes: int) -> bytes:
    """Read a regular file.

    Raises:
        OSError: See `plain_size`, or it cannot be read.
    """
    plain_size(path, max_bytes)
    with path.open("rb") as file:
        content = file.read(max_bytes + 1)  # the file may have grown
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"it has more than {max_bytes / 1e6:g} MB")
    return content


def read_json(path: Path, max_bytes: int = 1_000_000) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        OSError: See `read_whole`.
        ValueError: It is not an object in JSON, or is nested too deeply.
    """
    try:
        found = json.loads(read_whole(path, max_bytes))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    return found


def json_or_empty(path: Path) -> dict[str, Any] | None:
    """Return the JSON object of a file: {} if it is damaged, None if there is no file."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return {}


def shown(value: object) -> str:
    """Format a value of an untrusted file for a message, in at most about 180 characters."""
    try:
        text = _repr.repr(value)
    except (ValueError, RecursionError):  # integers with thousands of digits; deep nesting
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 3 * _MAX_CHARACTERS else text[: 3 * _MAX_CHARACTERS] + "..."
