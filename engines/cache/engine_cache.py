"""Converted engines on disk, keyed by everything that changes their bytes; written aside and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engines.cache.cache_entry import MANIFEST, About, bytes_in, cache_home, entries, file_digest, harm

__all__ = [
    "About",
    "clear",
    "discard",
    "entries",
    "file_digest",
    "find",
    "kept",
    "key",
    "once",
    "shipped",
    "store",
    "trim",
    "watched",
]

LIMIT_BYTES = 2_000_000_000
_SHIPPED = Path(__file__).parent.with_name("weights") / "openvino"
_LOCKS = ".locks"
_ABANDONED_S = 24 * 3600.0  # nobody fills a folder for a day: whoever made it has died
BUILT_AGAIN = " and built again"
WAIT_S = 300.0  # for another process that builds the same engine: longer than the slowest build seen

Thing = TypeVar("Thing")


class Got(NamedTuple):
    """An engine that `once` did not find at first.

    Attributes:
        about: see `store`.
        here: whether this process built it; else another one did, meanwhile.
    """

    about: About
    here: bool


_watching: list[list[Got]] = []


@contextlib.contextmanager
def watched() -> Iterator[list[Got]]:
    """What `once` builds, or waits for, in this process while the block runs."""
    found: list[Got] = []
    _watching.append(found)
    try:
        yield found
    finally:
        _watching[:] = [one for one in _watching if one is not found]


def say_line(line: str) -> None:
    """The usual way to tell the user one line."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"veneer: {line}\n")


def key(**parts: object) -> str:
    """One name for all the parts that change an engine's bytes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def find(key_text: str, *, say: Callable[[str], None] = say_line, then: str = "") -> Path | None:
    """The folder of a whole entry whose files are the ones that were written; None where there is none.

    An entry that is cut, edited or was written under another key is thrown away, and `say` is told; so it is of what
    comes `then`, where whoever asks goes on to build it.
    """
    entry = cache_home() / key_text
    if not entry.exists():
        return None
    wrong = harm(entry, key_text)
    if wrong:
        say(f"the engine {key_text[:8]} in the cache is {wrong}: it is thrown away{then}")
        discard(entry)
        return None
    with contextlib.suppress(OSError):
        (entry / MANIFEST).touch()  # its time is the last use: what was not used for longest goes first
    return entry


def shipped(key_text: str) -> Path | None:
    """The same among the entries that come with the program."""
    entry = _SHIPPED / key_text
    return entry if entry.exists() and not harm(entry, None) else None


def store(
    key_text: str,
    write: Callable[[Path], object],
    *,
    home: Path | None = None,
    about: About | None = None,
    build_s: float | None = None,
) -> Path | None:
    """Let `write` fill a folder, and put it in place in one step; None where the disk does not allow it.

    Entries that were not used for longest are removed where the cache has grown beyond its limit.

    Args:
        key_text: the entry's name.
        write: called with a folder to fill with files.
        home: where the entry goes; the user's cache folder if None.
        about: what `veneer engines list` shows of it.
        build_s: what building took before `write`, which is added.
    """
    place = (home or cache_home()) / key_text
    started_s = time.perf_counter()
    aside: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=place.parent))
        write(aside)
        manifest: dict[str, Any] = {
            "key": key_text,
            "files": {path.name: file_digest(path) for path in sorted(aside.iterdir())},
        }
        if home is None:  # what comes with the program is the same whenever it was made
            took_s = None if build_s is None else round(build_s + time.perf_counter() - started_s, 2)
            manifest |= {**asdict(about or About()), "bytes": bytes_in(aside), "build_s": took_s}
            manifest |= {"built_at": time.strftime("%Y-%m-%d %H:%M"), "verdict": None}
        (aside / MANIFEST).write_text(json.dumps(manifest, indent=1))
        aside.replace(place)
    except (OSError, RuntimeError):  # a full or read-only disk: the engine runs anyway
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        # Or another process was first: then its entry is as good.
        return place if place.exists() and not harm(place, key_text) else None
    if home is None:
        trim(keep=key_text)
    return place


def once(
    key_text: str,
    *,
    read: Callable[[Path], Thing],
    make: Callable[[], Thing],
    write: Callable[[Thing, Path], object],
    about: About,
    say: Callable[[str], None] = say_line,
    wait_s: float = WAIT_S,
) -> Thing:
    """The engine from the cache, or built now: by one process, while others that want the same wait for it.

    Nothing is lost where the disk is full: what was made is returned all the same.

    Args:
        key_text: see `store`.
        read: loads the engine from its folder. OSError, RuntimeError or ValueError mean that it cannot be used here:
            the entry is thrown away and built again.
        make: builds it. What it raises comes through.
        write: saves it into a folder.
        about: see `store`.
        say: told what happens, a line at a time.
        wait_s: how long to wait for another process before building it here as well.
    """
    from engines.cache import cache_lock

    found = kept(key_text, read=read, say=say, then=BUILT_AGAIN)
    if found is not None:
        return found
    with cache_lock.held(cache_home() / _LOCKS / f"{key_text}.lock", say=say, wait_s=wait_s):
        found = kept(key_text, read=read, say=say, then=BUILT_AGAIN)
        if found is not None:
            _tell_watchers(Got(about, here=False))
            return found
        started_s = time.perf_counter()
        made = make()
        _tell_watchers(Got(about, here=True))
        took_s = time.perf_counter() - started_s
        if store(key_text, lambda folder: write(made, folder), about=about, build_s=took_s) is None:
            say(f"the engine of {about.style} could not be kept in {cache_home()}: the next start will build it again")
        return made


def _tell_watchers(got: Got) -> None:
    for found in _watching:
        found.append(got)


def kept(
    key_text: str, *, read: Callable[[Path], Thing], say: Callable[[str], None] = say_line, then: str = ""
) -> Thing | None:
    """The engine from the cache, if it is there and can be used; never waits and never builds. See `find`, `once`."""
    entry = find(key_text, say=say, then=then)
    if entry is None:
        return None
    try:
        return read(entry)
    except (OSError, RuntimeError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:120]
        say(f"the engine {key_text[:8]} in the cache cannot be used here ({why}): it is thrown away{then}")
        discard(entry)
        return None


def trim(limit_bytes: int | None = None, *, keep: str = "") -> None:
    """Remove entries, the longest unused first, until the rest is within the limit; `keep` stays in any case.

    What dead processes left half-made is swept away too.
    """
    left = LIMIT_BYTES if limit_bytes is None else limit_bytes
    too_old_s = time.time() - _ABANDONED_S
    for entry in sorted(entries(), key=lambda entry: entry.key != keep):
        left -= entry.size_bytes
        if left < 0 and entry.key != keep:
            discard(entry.folder)
    for folder in cache_home().glob(".*-*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < too_old_s:
                shutil.rmtree(folder)


def clear() -> tuple[int, int]:
    """Remove every entry; returns how many there were, and their bytes."""
    there = entries()
    for entry in there:
        discard(entry.folder)
    gone = [entry for entry in there if not entry.folder.exists()]
    return len(gone), sum(entry.size_bytes for entry in gone)


def discard(entry: Path) -> None:
    """Throw an entry away: out of sight in one step, so that nobody finds half of it."""
    gone = entry.with_name(f".gone-{entry.name}-{os.getpid()}-{time.time_ns()}")
    with contextlib.suppress(OSError):  # it stays whole where another process has it open (Windows)
        entry.replace(gone)
        shutil.rmtree(gone)
