"""Where the calibration sets lie, and what names them: an INT8 engine is made from them, so it is named by them too.

A set is a folder of aligned regions with a marker `set.json`, which is written last. There are two: the built-in one,
made from the portrait, and the user's own, collected from photos and clips. Where both are there, both count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import paths

MARKER = "set.json"
CASES = ("plain", "dark", "noisy", "turned", "coarse")
CLIP = "clip"  # the case of regions that follow each other on a film


def built_in_folder() -> Path:
    """The set that every machine can make: from the portrait that comes with the program."""
    return paths.cache_dir() / "calibration"


def own_folder() -> Path:
    """The set of the user's own photos and clips; it is theirs to throw away."""
    return paths.data_dir() / "calibration"


def marker(folder: Path) -> Mapping[str, Any] | None:
    """What a set says of itself; None where there is none, or only half of one."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) and isinstance(found["digest"], str) else None
    except (OSError, ValueError, KeyError, RecursionError):
        return None


def ready_folders() -> list[Path]:
    """The folders of the sets that are there."""
    return [folder for folder in (built_in_folder(), own_folder()) if marker(folder) is not None]


def digest() -> str:
    """One name for the regions of all sets that are there; empty where there is none."""
    found = [said["digest"] for folder in ready_folders() if (said := marker(folder)) is not None]
    return hashlib.sha256(" ".join(found).encode()).hexdigest()[:16] if found else ""
