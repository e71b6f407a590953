"""Files that somebody else may have made: read whole but not without end, and named in one line."""

from __future__ import annotations

import errno
import os
import reprlib
import stat
from pathlib import Path

_LONGEST = 60
_words = reprlib.Repr()
_words.maxstring = _words.maxother = _words.maxlong = _LONGEST
_words.maxlevel = 2


def plain_size(path: Path, most_bytes: int) -> int:
    """The bytes of a plain file of a reasonable size.

    Raises:
        OSError: there is none, it is a pipe or device (which would be read without end), or it is too large.
    """
    info = path.stat()
    if stat.S_ISDIR(info.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(info.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file")
    if info.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"it has {info.st_size / 1e6:.1f} MB, more than {most_bytes / 1e6:g}")
    return info.st_size


def read_whole(path: Path, most_bytes: int) -> bytes:
    """What is in a plain file of a reasonable size.

    Raises:
        OSError: as for `plain_size`, or it cannot be read.
    """
    plain_size(path, most_bytes)
    with path.open("rb") as file:
        content = file.read(most_bytes + 1)  # it may have grown meanwhile
    if len(content) > most_bytes:
        raise OSError(errno.EFBIG, f"it has more than {most_bytes / 1e6:g} MB")
    return content


def shown(value: object) -> str:
    """Any value out of such a file for a message: short, whatever it is."""
    try:
        text = _words.repr(value)
    except (ValueError, RecursionError):  # a number with thousands of digits; trees that are too deep
        text = f"a strange {type(value).__name__}"
    return text if len(text) <= 3 * _LONGEST else text[: 3 * _LONGEST] + "..."
