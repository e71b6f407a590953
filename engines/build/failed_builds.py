"""Engines whose builder crashed, hung or made a bad one: noted for a week, so that no start tries it in vain again.

A note lies under the engine's key, so other weights, sizes, drivers or versions are tried at once; so is a build that a
person asks for. What a builder itself says that it cannot do now (a full disk, a missing library) is not noted.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from engines.cache.cache_entry import cache_home
from engines.untrusted_files import read_whole

KEPT_S = 7 * 24 * 3600.0
_CLOCK_OFF_S = 24 * 3600.0  # a note from farther in the future was written by a clock that was wrong
_MOST_BYTES = 10_000
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """A build that failed.

    Attributes:
        label: what was to be built, as in "OpenVINO INT8".
        style: of which style.
        size: of its regions, as in "256x256".
        reason: as in "its builder crashed (SIGSEGV)".
        at_s: when, in seconds since 1970.
        veneer: the version of the program: another one may have mended it.
    """

    label: str
    style: str
    size: str
    reason: str
    at_s: float
    veneer: str

    @property
    def date(self) -> str:
        """The day it failed on, local time: "2026-11-20"."""
        return time.strftime("%Y-%m-%d", time.localtime(self.at_s))

    @property
    def until(self) -> str:
        """The day from which on it is tried again."""
        return time.strftime("%Y-%m-%d", time.localtime(self.at_s + KEPT_S))

    def __str__(self) -> str:
        """For lists: "OpenVINO INT8 of toon 256x256: its builder crashed (SIGSEGV) on 2026-11-20"."""
        return f"{self.label} of {self.style} {self.size}: {self.reason} on {self.date}"


def record_failure(key_text: str, *, label: str, style: str, size: str, reason: str) -> None:
    """Note a failure under the engine's key; where the disk does not allow it, the next start tries again."""
    if not key_text:
        return
    line = "".join(sign if sign.isprintable() else "?" for sign in reason)
    failure = FailedBuild(label, style, size, line, time.time(), _version())
    path = _folder() / f"{key_text}.json"
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(json.dumps(asdict(failure), indent=1), encoding="utf-8")
        part.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            part.unlink()


def find_failure(key_text: str) -> FailedBuild | None:
    """The failure that is noted under a key; None where there is none, or it was too long ago, or is not readable."""
    return _read(_folder() / f"{key_text}.json") if key_text else None


def all_failures() -> list[FailedBuild]:
    """All that are noted, the newest first; notes that no longer count are removed."""
    found = []
    for path in _files():
        failure = _read(path)
        if failure is None:
            with contextlib.suppress(OSError):
                path.unlink()
        else:
            found.append(failure)
    return sorted(found, key=lambda failure: -failure.at_s)


def clear_failures(style: str = "") -> int:
    """Remove the notes on a style, or all; returns how many there were."""
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
    try:
        return sorted(path for path in _folder().glob("*.json") if not path.name.startswith("."))
    except OSError:
        return []


def _read(path: Path) -> FailedBuild | None:
    try:
        found = json.loads(read_whole(path, _MOST_BYTES))
        words = {name: found[name] for name in ("label", "style", "size", "reason", "veneer")}
        if not all(isinstance(word, str) and word.isprintable() for word in words.values()):
            return None
        failure = FailedBuild(**words, at_s=float(found["at_s"]))
        age_s = time.time() - failure.at_s
    except _UNREADABLE:
        return None
    return failure if -_CLOCK_OFF_S < age_s < KEPT_S and failure.veneer == _version() else None


def _version() -> str:
    try:
        return metadata.version("veneer")
    except metadata.PackageNotFoundError:  # a bare checkout
        return ""
