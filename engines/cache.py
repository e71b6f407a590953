"""Converted engines on disk, keyed by everything that changes their bytes; written aside and renamed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from engines import paths

_SHIPPED = Path(__file__).with_name("weights") / "openvino"
_MANIFEST = "manifest.json"  # written last: an entry without it was cut off, and does not count


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key(**parts: object) -> str:
    """One name for all the parts that change an engine's bytes."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def find(key_text: str) -> Path | None:
    """The folder of a whole entry whose files are the ones that were written; None where there is none."""
    return _whole(paths.cache_dir() / "engines" / key_text)


def shipped(key_text: str) -> Path | None:
    """The same among the entries that come with the program."""
    return _whole(_SHIPPED / key_text)


def _whole(entry: Path) -> Path | None:
    if not entry.exists():
        return None
    try:
        digests: dict[str, str] = json.loads((entry / _MANIFEST).read_text())["files"]
        whole = bool(digests) and all(file_digest(entry / name) == digest for name, digest in digests.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        discard(entry)
        return None
    return entry


def store(key_text: str, write: Callable[[Path], object], *, home: Path | None = None) -> Path | None:
    """Let `write` fill a folder, and put it in place in one step; None where the disk does not allow it.

    Args:
        key_text: the entry's name.
        write: called with a folder to fill.
        home: where the entry goes; the user's cache folder if None.
    """
    home = home or paths.cache_dir() / "engines"
    aside: Path | None = None
    try:
        home.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".making-", dir=home))
        write(aside)
        digests = {path.name: file_digest(path) for path in sorted(aside.iterdir())}
        (aside / _MANIFEST).write_text(json.dumps({"files": digests}))
        aside.replace(home / key_text)
    except (OSError, RuntimeError):  # a full or read-only disk (or another process was first): the engine runs anyway
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
        return None
    return home / key_text


def discard(entry: Path) -> None:
    """Throw an entry away."""
    with contextlib.suppress(OSError):
        shutil.rmtree(entry)
