"""Fuzz targets, and the rule for what counts as a find."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import VeneerError

MAX_LINE = 1000
Feed = Callable[[bytes], object]
Change = Callable[[bytes, random.Random], bytes]


class NotOneLineError(AssertionError):
    """An error message that is not one printable line of limited length."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser of untrusted input.

    Attributes:
        name: Name in the report.
        prepare: Given an empty folder, imports the parser and returns the function that takes one input.
        seeds: Returns valid inputs.
        tokens: Words of the format, for the dictionary.
        change: Mutation for half of the inputs; None if libFuzzer's own are sufficient.
    """

    name: str
    prepare: Callable[[Path], Feed]
    seeds: Callable[[], list[bytes]]
    tokens: tuple[bytes, ...] = ()
    change: Change | None = None


def offer(feed: Feed, data: bytes) -> VeneerError | None:
    """Run one input. Success and a one-line `VeneerError` are correct; any other exception is a find.

    Raises:
        Exception: The parser failed.
        NotOneLineError: The error message is not one line.
    """
    try:
        feed(data)
    except VeneerError as error:
        message = str(error)
        if not message.isprintable() or len(message) > MAX_LINE:
            raise NotOneLineError(f"{len(message)} characters: {message[:200]!r}") from error
        return error
    return None
