"""Marker files say how the pictures of a folder were made. Pictures in a folder without a marker are never deleted."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from engines.errors import OptionsError, os_errors
from engines.files import atomic_write
from engines.untrusted_files import json_or_empty

SIDES = ("before", "after")
DRAWN, CUT = "made.json", "cut.json"  # pairs that a teacher drew; pairs cut from the user's own pictures


def write_marker(path: Path, key: Mapping[str, Any]) -> None:
    """Write a marker atomically. Raises OptionsError if the folder is not writable, or full."""
    with folder_errors("pictures", path.parent):
        atomic_write(path, json.dumps(key, indent=2) + "\n")


def refuse_foreign(what: str, folder: Path, pictures: Sequence[Path], markers: Iterable[Path]) -> None:
    """Raise an OptionsError if a folder holds pictures and none of its markers: the pictures are the user's."""
    if pictures and not any(marker.exists() for marker in markers):
        do = "name another --work, or move them"
        raise OptionsError(f"{what} in {folder}", "it holds pictures that were not made there", do)


def folder_errors(what: str, folder: Path) -> AbstractContextManager[None]:
    """Convert an OSError of writing to a folder to an OptionsError."""
    return os_errors(f"{what} in {folder}", "name another folder, or make room")


def prepare_pairs(out: Path, marker: str, key: Mapping[str, Any], keep: Iterable[str]) -> None:
    """Create out/before and out/after, delete outdated pictures, and mark the folder with `key`, in `DRAWN` or `CUT`.

    If the marker has another content, all pictures are deleted, otherwise those whose stem is not in `keep`. Raises
    OptionsError if the folder holds pictures and no marker, or cannot be written.
    """
    pictures = [path for side in SIDES for path in (out / side).glob("*.png")]
    refuse_foreign("pairs", out, pictures, (out / DRAWN, out / CUT))
    kept = set(keep) if json_or_empty(out / marker) == key else set()
    with folder_errors("pairs", out):
        for path in pictures:
            if path.stem not in kept:
                path.unlink()
        for side in SIDES:
            (out / side).mkdir(parents=True, exist_ok=True)
        write_marker(out / marker, key)
        (out / (CUT if marker == DRAWN else DRAWN)).unlink(missing_ok=True)
