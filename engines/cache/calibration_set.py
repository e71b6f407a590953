"""Folders and digest of the calibration sets. INT8 engines are built from them, so the digest is part of their key.

A set is a folder of aligned regions with a marker `set.json`, which is written last. There are two sets: the built-in
one, made from the portrait, and the user's own, collected from photos and videos. If both exist, both are used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engines import paths
from engines.untrusted_files import json_or_empty

MARKER = "set.json"
CASES = ("plain", "dark", "noisy", "turned", "coarse")
CLIP = "clip"  # the case of consecutive regions of a video


def built_in_folder() -> Path:
    """Return the folder of the set made from the built-in portrait."""
    return paths.cache_dir() / "calibration"


def own_folder() -> Path:
    """Return the folder of the set made from the user's photos and videos, which the user may delete."""
    return paths.data_dir() / "calibration"


def marker(folder: Path) -> Mapping[str, Any] | None:
    """Return the content of a set's marker; None if the set does not exist or is incomplete."""
    found = json_or_empty(folder / MARKER)
    return found if found and isinstance(found.get("digest"), str) else None


def ready_folders() -> list[Path]:
    """Return the folders of the complete sets."""
    return [folder for folder in (built_in_folder(), own_folder()) if marker(folder) is not None]


def digest() -> str:
    """Return one digest for the regions of all complete sets; "" if there is none."""
    digests = [found["digest"] for folder in ready_folders() if (found := marker(folder)) is not None]
    return hashlib.sha256(" ".join(digests).encode()).hexdigest()[:16] if digests else ""
