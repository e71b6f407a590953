"""What lies in the engine cache: each entry's manifest, whether it is whole, and calibration's verdict on it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engines import paths
from engines.errors import EngineError

MANIFEST = "manifest.json"  # written last: an entry without it was cut off, and does not count
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class About:
    """What an entry holds, in words for a person. It is not the key: list there all that changes the bytes."""

    style: str = "?"
    runtime: str = "?"
    precision: str = "?"
    shape: str = "?"


@dataclass(frozen=True, slots=True)
class Entry:
    """One engine in the user's cache.

    Attributes:
        built_at: local time, "2026-11-20 14:03"; "?" in an entry that is damaged.
        build_s: what building took; None where nobody measured it.
        verdict: "passed", "failed: because ..." or "uncalibrated".
        used_at_s: seconds since 1970 of the last look-up.
    """

    key: str
    folder: Path
    about: About
    size_bytes: int
    built_at: str
    build_s: float | None
    verdict: str
    used_at_s: float


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes, as hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def cache_home() -> Path:
    """Where the user's entries lie."""
    return paths.cache_dir() / "engines"


def harm(entry: Path, key_text: str | None) -> str:
    """What is wrong with an entry, or nothing; its key is not looked at where `key_text` is None."""
    try:
        manifest = _manifest(entry)
        if key_text is not None and manifest["key"] != key_text:
            return "a foreign one"
        digests: dict[str, str] = manifest["files"]
        if not digests or any(file_digest(entry / name) != digest for name, digest in digests.items()):
            return "cut or edited"
    except _UNREADABLE:
        return "damaged"
    return ""


def bytes_in(folder: Path) -> int:
    """The bytes of the files in a folder."""
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            total += path.stat().st_size
    return total


def entries() -> list[Entry]:
    """All entries of the user's cache, the last used first; what is damaged is among them."""
    return sorted(map(_entry, _folders()), key=lambda entry: -entry.used_at_s)


def record_verdict(
    key_text: str, *, passed: bool, because: str = "", scores: Mapping[str, Any] | None = None, kept: bool = True
) -> None:
    """Write down whether calibration let an engine pass.

    Args:
        key_text: the engine's name.
        passed: the verdict.
        because: why not.
        scores: the numbers it was found by.
        kept: whether the engine lies in the cache: then the verdict goes with it. Else (it is compiled anew at each
            start, and its name says everything that changes it) the verdict is a file of its own.

    Raises:
        EngineError: there is no such entry, or the disk does not allow it.
    """
    found = {"passed": passed, "because": because, **({"scores": dict(scores)} if scores else {})}
    try:
        if kept:
            _replace(cache_home() / key_text / MANIFEST, {**_manifest(cache_home() / key_text), "verdict": found})
        else:
            _alone(key_text).parent.mkdir(parents=True, exist_ok=True)
            _replace(_alone(key_text), found)
    except _UNREADABLE as error:
        asked = f"verdict on engine {key_text[:8]}"
        do = "run: veneer engines build" if kept else f"make room in {cache_home()}, or allow writing there"
        raise EngineError(asked, f"cannot be written ({error})", do) from error


def verdict(key_text: str) -> str:
    """ "passed", "failed: because ..." or "uncalibrated", also where there is no such entry."""
    return _in_words(found_verdict(key_text))


def found_verdict(key_text: str) -> Mapping[str, Any] | None:
    """What `record_verdict` wrote: "passed", "because" and perhaps "scores"; None where nothing is known."""
    with contextlib.suppress(*_UNREADABLE):
        found = _manifest(cache_home() / key_text)["verdict"]
        return found if isinstance(found, Mapping) else None
    with contextlib.suppress(*_UNREADABLE):
        found = json.loads(_alone(key_text).read_text())
        return found if isinstance(found, Mapping) else None
    return None


def _alone(key_text: str) -> Path:
    return cache_home() / ".verdicts" / f"{key_text}.json"


def _replace(path: Path, what: Mapping[str, Any]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(what, indent=1))
    part.replace(path)


def _folders() -> list[Path]:
    try:
        return [folder for folder in cache_home().iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    except OSError:
        return []


def _entry(folder: Path) -> Entry:
    manifest: Mapping[str, Any] = {}
    used_at_s = 0.0
    with contextlib.suppress(*_UNREADABLE):
        manifest = _manifest(folder)
        used_at_s = (folder / MANIFEST).stat().st_mtime
    about = About(**{name: str(manifest.get(name, "?")) for name in About.__slots__})
    whole = "built_at" in manifest
    spoken = _in_words(manifest.get("verdict")) if whole else "damaged"
    built_at, build_s = str(manifest.get("built_at", "?")), manifest.get("build_s")
    return Entry(folder.name, folder, about, bytes_in(folder), built_at, build_s, spoken, used_at_s)


def _manifest(entry: Path) -> dict[str, Any]:
    manifest = json.loads((entry / MANIFEST).read_text())
    if not isinstance(manifest, dict):
        raise TypeError(f"{entry.name}: no manifest")
    return manifest


def _in_words(found: Any) -> str:
    if not isinstance(found, Mapping):
        return "uncalibrated"
    return "passed" if found.get("passed") is True else f"failed: {found.get('because', '?')}"
