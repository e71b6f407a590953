"""A folder of made pictures says by what they were made; in a folder that does not, nothing is ever deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engines.errors import OptionsError

SIDES = ("before", "after")
MADE, CUT = "made.json", "cut.json"  # pairs that a teacher drew; pairs cut from the user's own


def read_marker(path: Path) -> dict[str, Any] | None:
    """What a marker says: nothing at all where it is damaged, None where it is not there."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write_marker(path: Path, key: Mapping[str, Any]) -> None:
    """Write it aside, then rename: it is there whole, or as it was.

    Raises:
        OptionsError: the folder cannot be written to, or is full.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")
        part.replace(path)
    except OSError as error:
        do = "name another folder, or make room"
        raise OptionsError(f"pictures in {path.parent}", error.strerror or str(error), do) from error
    finally:
        part.unlink(missing_ok=True)


def ready_pairs(out: Path, mine: str, key: Mapping[str, Any], keep: Iterable[str]) -> None:
    """Make out/before and out/after, mark them as made by `key`, and take away what was not.

    Args:
        out: the folder.
        mine: its marker from now on, `MADE` or `CUT`.
        key: what the pictures are made by. Where the marker says something else, all of them go.
        keep: else, the names without ending of those that may stay.

    Raises:
        OptionsError: it holds pictures and none of the markers, or cannot be written to.
    """
    pictures = [path for side in SIDES for path in (out / side).glob("*.png")]
    kept = {name: read_marker(out / name) for name in (MADE, CUT)}
    if pictures and all(said is None for said in kept.values()):
        do = "name another --work, or move them"
        raise OptionsError(f"pairs in {out}", "it holds pictures that were not made there", do)
    stay = set(keep) if kept[mine] == dict(key) else set()
    try:
        for path in pictures:
            if path.stem not in stay:
                path.unlink()
        for side in SIDES:
            (out / side).mkdir(parents=True, exist_ok=True)
        write_marker(out / mine, key)
        (out / (CUT if mine == MADE else MADE)).unlink(missing_ok=True)
    except OSError as error:
        do = "name another folder, or make room"
        raise OptionsError(f"pairs in {out}", error.strerror or str(error), do) from error
