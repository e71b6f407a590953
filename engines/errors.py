"""The errors a person may see: one line that says what was asked, what was got and what to do."""

from __future__ import annotations

_LONGEST = 900  # of a message, in characters


class VeneerError(Exception):
    """Base of every error that the command line prints as one line, without a traceback (exit code 2).

    Args:
        asked: what was wanted, in the user's words ("camera 0", "look 'glase'").
        got: what was found instead.
        do: what to do about it; may be empty where nothing can be done.
    """

    def __init__(self, asked: str, got: str, do: str = "") -> None:
        self.asked, self.got, self.do = asked, got, do
        super().__init__(_one_line(f"{asked}: {got}" + (f" - {do}" if do else "")))

    def __reduce__(self) -> tuple[type[VeneerError], tuple[str, str, str]]:
        """As it was made: a worker process hands its errors over so."""
        return type(self), (self.asked, self.got, self.do)


def _one_line(text: str) -> str:
    """Fit for a terminal whatever it quotes: one line, no control characters, and not without end."""
    line = "".join(sign if sign.isprintable() else " " if sign.isspace() else "?" for sign in text)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 300]} ... {line[-250:]}"


class OptionsError(VeneerError):
    """An option, or a settings file, says something that cannot be done."""


class LookError(VeneerError):
    """A look or style is unknown or wrongly written."""


class EngineError(VeneerError):
    """A generator cannot be made ready, or failed while running."""


class SourceError(VeneerError):
    """Frames do not come in: no camera, no video, no picture."""


class SinkError(VeneerError):
    """Frames do not go out: no virtual camera, no window, no room on the disk."""


class TrackingError(VeneerError):
    """The face tracker cannot be made ready, or failed while running."""
