"""Entries of the engine cache: manifest, integrity check, and calibration's verdict."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import paths
from engines.errors import EngineError
from engines.files import atomic_write
from engines.untrusted_files import json_or_empty, read_json

MANIFEST = "manifest.json"  # written last: an entry without it is incomplete
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError)


@dataclass(frozen=True, slots=True)
class EntryDescription:
    """What an entry contains, for display. It is not part of the key, which must cover everything in it."""

    style: str = "?"
    runtime: str = "?"
    precision: str = "?"
    shape: str = "?"


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One engine in the user's cache.

    Attributes:
        built_at: Local time, "2026-11-20 14:03"; "?" for a damaged entry.
        build_s: Build time in seconds; None if it was not measured.
        verdict: "passed", "failed: REASON", "uncalibrated" or "damaged".
        used_at_s: Time of the last look-up in seconds since 1970.
    """

    key: str
    folder: Path
    about: EntryDescription
    size_bytes: int
    built_at: str
    build_s: float | None
    verdict: str
    used_at_s: float


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def cache_home() -> Path:
    """Return the folder of the user's engine cache, which may not exist yet."""
    return paths.cache_dir() / "engines"


def find_damage(entry: Path, key: str | None) -> str:
    """Return what is wrong with an entry, or "" if it is complete, unchanged and of this key; None for any key."""
    try:
        manifest = read_json(entry / MANIFEST)
        if key is not None and manifest["key"] != key:
            return "stored under another key"
        digests: dict[str, str] = manifest["files"]
        if not digests or any(file_digest(entry / name) != digest for name, digest in digests.items()):
            return "incomplete or modified"
    except _UNREADABLE:
        return "damaged"
    return ""


def entries() -> list[CacheEntry]:
    """Return all entries of the user's cache, damaged ones included, the most recently used first."""
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        folders = [path for path in cache_home().iterdir() if path.is_dir() and not path.name.startswith(".")]
    return sorted(map(_entry, folders), key=lambda entry: -entry.used_at_s)


def record_verdict(key: str, *, passed: bool, because: str = "", scores: Mapping[str, Any] | None = None) -> None:
    """Store calibration's verdict on an engine.

    The verdict is part of the cache entry if there is one. Engines that are compiled at each start have no entry; their
    verdict is a file of its own. Raises EngineError if the verdict cannot be written.
    """
    found = {"passed": passed, "because": because, **({"scores": dict(scores)} if scores else {})}
    entry = cache_home() / key
    in_entry = entry.exists()
    try:
        if in_entry:
            atomic_write(entry / MANIFEST, json.dumps({**read_json(entry / MANIFEST), "verdict": found}, indent=1))
        else:
            _verdict_file(key).parent.mkdir(parents=True, exist_ok=True)
            atomic_write(_verdict_file(key), json.dumps(found, indent=1))
    except _UNREADABLE as error:
        do = "run: veneer engines build" if in_entry else f"free disk space or allow writing in {cache_home()}"
        raise EngineError(f"verdict on engine {key[:8]}", f"cannot be written ({error})", do) from error


def verdict(key: str) -> str:
    """Return "passed", "failed: REASON" or, if there is no verdict, "uncalibrated"."""
    return _verdict_text(read_verdict(key))


def read_verdict(key: str) -> Mapping[str, Any] | None:
    """Return a stored verdict with "passed", "because" and optionally "scores"; None if there is none."""
    manifest = json_or_empty(cache_home() / key / MANIFEST)
    found = json_or_empty(_verdict_file(key)) if manifest is None else manifest.get("verdict")
    return found if isinstance(found, Mapping) and found else None


def _verdict_file(key: str) -> Path:
    return cache_home() / ".verdicts" / f"{key}.json"


def _entry(folder: Path) -> CacheEntry:
    manifest: Mapping[str, Any] = {}
    used_at_s, size_bytes = 0.0, 0
    with contextlib.suppress(OSError):
        size_bytes = sum(path.stat().st_size for path in folder.iterdir())
    with contextlib.suppress(*_UNREADABLE):
        manifest = read_json(folder / MANIFEST)
        used_at_s = (folder / MANIFEST).stat().st_mtime
    about = EntryDescription(**{name: str(manifest.get(name, "?")) for name in EntryDescription.__slots__})
    text = _verdict_text(manifest.get("verdict")) if "built_at" in manifest else "damaged"
    built_at, build_s = str(manifest.get("built_at", "?")), manifest.get("build_s")
    return CacheEntry(folder.name, folder, about, size_bytes, built_at, build_s, text, used_at_s)


def _verdict_text(found: Any) -> str:
    if not isinstance(found, Mapping):
        return "uncalibrated"
    return "passed" if found.get("passed") is True else f"failed: {found.get('because', '?')}"
