"""Records of failed builds, kept for a week, so that a start does not repeat a build that failed.

A record belongs to a cache key: other weights, sizes, drivers or library versions are tried at once. So is a build that
the user requests. Temporary failures, such as a full disk or a missing library, are not recorded.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from engines.cache.cache_entry import cache_home
from engines.files import atomic_write
from engines.runtime.base import library_version
from engines.styles import Style
from engines.untrusted_files import read_json

KEPT_S = 7 * 24 * 3600.0
_MAX_CLOCK_ERROR_S = 24 * 3600.0  # a record from further in the future was written with a wrong clock
_MAX_BYTES = 10_000


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """A build that failed.

    Attributes:
        label: What was built, as in "OpenVINO INT8".
        reason: As in "its builder crashed (SIGSEGV)".
        at_s: Time in seconds since 1970.
        veneer: Version of the program; another version tries again.
    """

    label: str
    style: str
    size: str
    reason: str
    at_s: float
    veneer: str

    @property
    def date(self) -> str:
        """The local day of the failure, as in "2026-11-20"."""
        return time.strftime("%Y-%m-%d", time.localtime(self.at_s))

    @property
    def until(self) -> str:
        """The local day from which on the build is tried again."""
        return time.strftime("%Y-%m-%d", time.localtime(self.at_s + KEPT_S))

    def __str__(self) -> str:
        """As in "OpenVINO INT8 of toon 256x256: its builder crashed (SIGSEGV) on 2026-11-20"."""
        return f"{self.label} of {self.style} {self.size}: {self.reason} on {self.date}"


def record_failure(key: str, label: str, style: Style, reason: str) -> None:
    """Record a failure under the engine's cache key; nothing is recorded without a key or if the disk is full."""
    if not key:
        return
    printable = "".join(character if character.isprintable() else "?" for character in reason)
    size, version = "{}x{}".format(*style.size_wh), library_version("veneer")
    failure = FailedBuild(label, style.name, size, printable, time.time(), version)
    with contextlib.suppress(OSError):
        _folder().mkdir(parents=True, exist_ok=True)
        atomic_write(_folder() / f"{key}.json", json.dumps(asdict(failure), indent=1))


def find_failure(key: str) -> FailedBuild | None:
    """Return the valid record under a key; None if there is none."""
    return _read(_folder() / f"{key}.json") if key else None


def all_failures() -> list[FailedBuild]:
    """Return all valid records, the newest first, and delete the others."""
    found = {path: _read(path) for path in _files()}
    for path in [path for path, failure in found.items() if failure is None]:
        with contextlib.suppress(OSError):
            path.unlink()
    return sorted(filter(None, found.values()), key=lambda failure: -failure.at_s)


def clear_failures(style: str = "") -> int:
    """Delete the records of a style, or all; return how many valid ones were deleted."""
    count = 0
    for path in _files():
        failure = _read(path)
        if not style or failure is None or failure.style == style:
            with contextlib.suppress(OSError):
                path.unlink()
                count += failure is not None
    return count


def _folder() -> Path:
    return cache_home() / ".failures"


def _files() -> list[Path]:
    return sorted(path for path in _folder().glob("*.json") if not path.name.startswith("."))


def _read(path: Path) -> FailedBuild | None:
    """Return a record; None if it is unreadable, too old, or of another version of the program."""
    try:
        found = read_json(path, _MAX_BYTES)
        texts = {name: found[name] for name in ("label", "style", "size", "reason", "veneer")}
        if not all(isinstance(text, str) and text.isprintable() for text in texts.values()):
            return None
        failure = FailedBuild(**texts, at_s=float(found["at_s"]))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
    age_s = time.time() - failure.at_s
    return failure if -_MAX_CLOCK_ERROR_S < age_s < KEPT_S and failure.veneer == library_version("veneer") else None
