"""Errors for the user: one line that says what was requested, what was found and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_MAX_CHARACTERS = 900


class VeneerError(Exception):
    """Base class of the errors that the command line prints as one line, without a traceback (exit code 2).

    Args:
        asked: What was requested, in the user's words ("camera 0", "look 'glase'").
        got: What was found instead.
        do: The remedy; "" if there is none.
    """

    def __init__(self, asked: str, got: str, do: str = "") -> None:
        self.asked, self.got, self.do = asked, got, do
        super().__init__(_one_line(f"{asked}: {got}" + (f" - {do}" if do else "")))

    def __reduce__(self) -> tuple[type[VeneerError], tuple[str, str, str]]:
        """Support pickling between worker processes."""
        return type(self), (self.asked, self.got, self.do)


def _one_line(text: str) -> str:
    """Replace control characters and line breaks, and cut to the maximum length."""
    line = "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)
    return line if len(line) <= _MAX_CHARACTERS else f"{line[: _MAX_CHARACTERS - 300]} ... {line[-250:]}"


class OptionsError(VeneerError):
    """An option, a command or a settings file has a wrong value."""


class LookError(VeneerError):
    """A look or style is unknown, or its definition is wrong."""


class EngineError(VeneerError):
    """An engine cannot be opened, or failed while running."""


class SourceError(VeneerError):
    """A camera, video or picture cannot be read."""


class SinkError(VeneerError):
    """A virtual camera, window or file cannot be written."""


class TrackingError(VeneerError):
    """The face tracker cannot be opened, or failed while running."""


@contextmanager
def os_errors(asked: str, do: str, kind: type[VeneerError] = OptionsError) -> Iterator[None]:
    """Convert an OSError of the block to an error with the system's reason; see `VeneerError` for the arguments."""
    try:
        yield
    except OSError as error:
        raise kind(asked, error.strerror or str(error), do) from error
