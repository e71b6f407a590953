"""Any error as one line for a person."""

from __future__ import annotations

from engines.errors import VeneerError

_LONGEST = 300


def one_line(error: BaseException) -> str:
    """Our own errors as they are; the system's with what it says; a library's with its kind, which often says more."""
    text = " ".join(str(error).split())[:_LONGEST]
    if isinstance(error, VeneerError) or (isinstance(error, OSError) and text):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
