"""Text for messages: errors in one line, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from engines.errors import VeneerError

_MAX_CHARACTERS = 300
_MAX_FIRST_LINE = 160
_LOCATION_ONLY = re.compile(r"Exception from \S+:\d+:?|Check '.*' failed at \S+:\d+:?")


def one_line(error: BaseException) -> str:
    """Format any error as one line: the message, preceded by the error's type for library errors."""
    text = " ".join(str(error).split())[:_MAX_CHARACTERS]
    if isinstance(error, VeneerError) or (isinstance(error, OSError) and text):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def first_line(error: BaseException) -> str:
    """Return the first informative line of a library error, at most 160 characters.

    Lines that hold only a source location, as in OpenVINO's errors, are skipped if another line exists.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    informative = [line for line in lines if not _LOCATION_ONLY.fullmatch(line)]
    return (informative or lines or [type(error).__name__])[0][:_MAX_FIRST_LINE]


def nearest_names(name: str, names: Iterable[str], *, count: int = 3, cutoff: float = 0.4) -> list[str]:
    """Return the names most similar to a misspelt one, best first, ignoring case and `_` versus `-`."""
    by_folded = {known.casefold().replace("_", "-"): known for known in names}
    folded = name.casefold().replace("_", "-")[:100]
    return [by_folded[match] for match in difflib.get_close_matches(folded, by_folded, n=count, cutoff=cutoff)]


def did_you_mean(name: str, names: Iterable[str], *, otherwise: str, cutoff: float = 0.4) -> str:
    """Return "did you mean 'a' or 'b'?" for a misspelt name, or `otherwise` if no known name is similar."""
    near = nearest_names(name, names, cutoff=cutoff)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise
