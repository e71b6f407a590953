"""The cache of built engines on disk, keyed by everything that changes an engine's bytes.

Entries are folders. They are written under a temporary name and renamed, so that no reader gets an incomplete one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from engines.cache.cache_entry import (
    MANIFEST,
    EntryDescription,
    cache_home,
    entries,
    file_digest,
    find_damage,
)
from engines.text import first_line

LIMIT_BYTES = 2_000_000_000
LOCK_TIMEOUT_S = 300.0  # longer than the slowest build observed
REBUILT = " and built again"
_SHIPPED = Path(__file__).parent.with_name("weights") / "openvino"
_MAX_TEMPORARY_AGE_S = 24 * 3600.0  # no build runs for a day: older temporary folders belong to dead processes

Item = TypeVar("Item")


class CacheLookup(NamedTuple):
    """An engine that `load_or_build` did not find at first: it was built here, or meanwhile by another process."""

    about: EntryDescription
    here: bool


lookups: list[CacheLookup] = []  # of this process, in order


def print_line(line: str) -> None:
    """Print one line for the user to stderr."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"veneer: {line}\n")


def cache_key(**parts: object) -> str:
    """Return a key of 32 hex digits for JSON-compatible values; pass everything that changes an engine's bytes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def find(key: str, *, then: str = "") -> Path | None:
    """Return the folder of a complete, unmodified entry; None if there is none.

    A damaged entry is deleted and reported in a line that ends with `then`.
    """
    entry = cache_home() / key
    if not entry.exists():
        return None
    damage = find_damage(entry, key)
    if damage:
        print_line(f"the cached engine {key[:8]} is {damage}: it is deleted{then}")
        discard(entry)
        return None
    with contextlib.suppress(OSError):
        (entry / MANIFEST).touch()  # the modification time is the time of the last use: see `trim`
    return entry


def find_shipped(key: str) -> Path | None:
    """Return the folder of a complete entry that comes with the program; None if there is none."""
    entry = _SHIPPED / key
    return entry if entry.exists() and not find_damage(entry, None) else None


def store(
    key: str,
    write: Callable[[Path], object],
    *,
    home: Path | None = None,
    about: EntryDescription | None = None,
    build_s: float | None = None,
) -> Path | None:
    """Create an entry from the files that `write` puts into an empty folder, and trim the cache to its size limit.

    `home` is the folder of the cache, by default the user's; `about` is what `veneer engines list` shows; the time of
    `write` is added to `build_s`. Return the entry's folder; None if the disk is full or read-only.
    """
    entry = (home or cache_home()) / key
    started_s = time.perf_counter()
    temporary: Path | None = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".making-", dir=entry.parent))
        write(temporary)
        digests = {path.name: file_digest(path) for path in sorted(temporary.iterdir())}
        manifest: dict[str, Any] = {"key": key, "files": digests}
        if home is None:  # shipped entries must be reproducible: no times
            total_s = None if build_s is None else round(build_s + time.perf_counter() - started_s, 2)
            manifest |= {**asdict(about or EntryDescription()), "build_s": total_s}
            manifest |= {"built_at": time.strftime("%Y-%m-%d %H:%M"), "verdict": None}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=1))
        temporary.replace(entry)
    except (OSError, RuntimeError):  # full or read-only disk, or another process stored the same entry first
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        return entry if entry.exists() and not find_damage(entry, key) else None
    if home is None:
        trim(keep=key)
    return entry


def build_lock(
    key: str, *, say: Callable[[str], None] = print_line, wait_s: float = LOCK_TIMEOUT_S
) -> AbstractContextManager[bool]:
    """Return the lock that the process building an entry holds; see `cache_lock.hold_lock`."""
    from engines.cache import cache_lock

    return cache_lock.hold_lock(cache_home() / ".locks" / f"{key}.lock", say=say, wait_s=wait_s)


def load_or_build(
    key: str,
    *,
    read: Callable[[Path], Item],
    make: Callable[[], Item],
    write: Callable[[Item, Path], object],
    about: EntryDescription,
    wait_s: float = LOCK_TIMEOUT_S,
) -> Item:
    """Load an engine from the cache, or build and store it.

    Only one process builds a key; others wait for it. If the engine cannot be stored, it is returned all the same.

    Args:
        read: Loads the engine from its folder. If it raises OSError, RuntimeError or ValueError, the entry is deleted
            and built again.
        make: Builds the engine. Its exceptions propagate.
        wait_s: Timeout for another process; after it this process builds too.
    """
    found = load(key, read=read, then=REBUILT)
    if found is not None:
        return found
    with build_lock(key, wait_s=wait_s):
        found = load(key, read=read, then=REBUILT)
        if found is not None:
            lookups.append(CacheLookup(about, here=False))
            return found
        started_s = time.perf_counter()
        built = make()
        build_s = time.perf_counter() - started_s
        lookups.append(CacheLookup(about, here=True))
        if store(key, lambda folder: write(built, folder), about=about, build_s=build_s) is None:
            print_line(
                f"the engine of {about.style} cannot be stored in {cache_home()}: the next start builds it again"
            )
        return built


def load(key: str, *, read: Callable[[Path], Item], then: str = "") -> Item | None:
    """Load an engine from the cache; None if it is missing or unusable. Never waits or builds. See `load_or_build`."""
    entry = find(key, then=then)
    if entry is None:
        return None
    try:
        return read(entry)
    except (OSError, RuntimeError, ValueError) as error:
        print_line(f"the cached engine {key[:8]} cannot be used here ({first_line(error)[:120]}): it is deleted{then}")
        discard(entry)
        return None


def trim(limit_bytes: int | None = None, *, keep: str = "") -> None:
    """Delete the least recently used entries, but not `keep`, until the cache fits, and old temporary folders."""
    left = LIMIT_BYTES if limit_bytes is None else limit_bytes
    oldest_s = time.time() - _MAX_TEMPORARY_AGE_S
    for entry in sorted(entries(), key=lambda entry: entry.key != keep):
        left -= entry.size_bytes
        if left < 0 and entry.key != keep:
            discard(entry.folder)
    for folder in cache_home().glob(".*-*"):
        with contextlib.suppress(OSError):
            if folder.stat().st_mtime < oldest_s:
                shutil.rmtree(folder)


def clear() -> tuple[int, int]:
    """Delete all entries; return how many were deleted and their total size in bytes."""
    found = entries()
    for entry in found:
        discard(entry.folder)
    deleted = [entry for entry in found if not entry.folder.exists()]
    return len(deleted), sum(entry.size_bytes for entry in deleted)


def discard(entry: Path) -> None:
    """Delete an entry's folder; it is renamed first, so that no reader finds half of it."""
    doomed = entry.with_name(f".gone-{entry.name}-{os.getpid()}-{time.time_ns()}")
    with contextlib.suppress(OSError):  # on Windows an entry that is open in another process stays
        entry.replace(doomed)
        shutil.rmtree(doomed)
