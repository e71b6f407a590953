"""Photos as aligned regions, cut like the training regions: the publishable portrait and the people of the data."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import cv2

from calibration.sets.region_collector import collect
from engines.training.data.aligned import AlignedRegion, load_region
from engines.training.teachers.face_parts import Parts, find_parts
from live.portrait import portrait_bgr

PALE, BROWN, DARK = (f"faces/portraits_cc0/female/{number}.jpg" for number in ("49", "06", "44"))  # below the data


@functools.cache
def photo_region(photo: Path, kind: str) -> AlignedRegion:
    """Kind: "face", "head" or "frame"."""
    with tempfile.TemporaryDirectory() as folder:
        found = collect([photo], Path(folder), kinds=(kind,))
        assert found.regions == 1, f"no face on {photo}"
        return load_region(Path(folder), f"{photo.stem}.{kind}")


@functools.cache
def portrait_region(kind: str) -> AlignedRegion:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "portrait.png"
        assert cv2.imwrite(str(photo), portrait_bgr())
        return photo_region(photo, kind)


@functools.cache
def portrait_parts(kind: str) -> Parts:
    return find_parts(portrait_region(kind))
