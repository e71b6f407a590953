"""What a fuzz target is, and when an input counts as a find."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import VeneerError

LONGEST_LINE = 1000
Feed = Callable[[bytes], object]
Change = Callable[[bytes, random.Random], bytes]


class NotOneLineError(AssertionError):
    """A refusal that a person cannot read: several lines, control characters, or without end."""


@dataclass(frozen=True, slots=True)
class Target:
    """One parser of what comes from outside.

    Attributes:
        name: as the report says it.
        prepare: given a folder of its own, makes ready (imports the parser, too) and returns what takes one input.
        seeds: good inputs to begin with.
        tokens: words of the format, for the dictionary.
        change: how half of the inputs are changed; None where bit by bit is as good.
    """

    name: str
    prepare: Callable[[Path], Feed]
    seeds: Callable[[], list[bytes]]
    tokens: tuple[bytes, ...] = ()
    change: Change | None = None


def offer(feed: Feed, data: bytes) -> VeneerError | None:
    """One input. Taken or refused with one clear line is right; whatever else is raised is a find.

    Raises:
        Exception: whatever the parser did not foresee.
        NotOneLineError: it was refused, but not in one line.
    """
    try:
        feed(data)
    except VeneerError as error:
        said = str(error)
        if not said.isprintable() or len(said) > LONGEST_LINE:
            raise NotOneLineError(f"{len(said)} characters: {said[:200]!r}") from error
        return error
    return None
