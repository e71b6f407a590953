"""Aligned regions on disk: what training and calibration read. Each is NAME.png and NAME.npz in one folder.

The PNG is the square region in RGB; the npz holds its landmarks, who the person is, and where the region came from.
They are written by `calibration.sets.region_collector`, which has the tracker; reading them needs none.
"""

from __future__ import annotations

import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError

# What reading a broken npz raises: the archive's own errors, and those of the arrays' headers.
NPZ_UNREADABLE = (
    ValueError, TypeError, KeyError, EOFError, NotImplementedError, RuntimeError, OverflowError, MemoryError,
    AttributeError, IndexError, SyntaxError, struct.error, tokenize.TokenError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class AlignedRegion:
    """One face's square region.

    Attributes:
        name: of its files.
        rgb: (S, S, 3) uint8.
        landmarks_xy: (478, 2) float32 pixels of the region, MediaPipe face mesh order; not all lie inside.
        person: (S, S) uint8, how surely a pixel shows the person, 0..255.
        kind: "face", "head" or "frame".
        inner: the part that lies in the photo, in pixels of the region: left, top, right, bottom; beyond it the
            photo's last pixels go on. None for all of it.
    """

    name: str
    rgb: NDArray[np.uint8]
    landmarks_xy: NDArray[np.float32]
    person: NDArray[np.uint8]
    kind: str
    inner: tuple[float, float, float, float] | None = None


def save_region(region: AlignedRegion, folder: Path) -> None:
    """Write a region; the PNG comes last, so that a half-written one is never read.

    Raises:
        OptionsError: the folder cannot be written to, or is full.
    """
    person = cv2.resize(region.person, (128, 128), interpolation=cv2.INTER_AREA)
    picture = folder / f"{region.name}.png"
    side_px = region.rgb.shape[0]
    inner = np.array(region.inner or (0, 0, side_px, side_px), np.float32)
    part = picture.with_suffix(".part.png")
    try:
        np.savez_compressed(
            folder / f"{region.name}.npz", landmarks_xy=region.landmarks_xy, person=person, inner=inner,
            kind=np.array(region.kind),
        )  # fmt: skip
        if not cv2.imwrite(str(part), cv2.cvtColor(region.rgb, cv2.COLOR_RGB2BGR)):
            raise OSError(0, "the PNG could not be written (is the disk full?)")
        part.replace(picture)
    except (OSError, cv2.error) as error:
        part.unlink(missing_ok=True)
        why = getattr(error, "strerror", None) or str(error)
        raise OptionsError(f"regions in {folder}", why, "name another folder, or make room") from error


def region_names(folder: Path) -> list[str]:
    """Names of all whole regions in a folder, sorted; empty where there is none."""
    return sorted(path.stem for path in folder.glob("*.png") if path.with_suffix(".npz").is_file())


def load_region(folder: Path, name: str) -> AlignedRegion:
    """Read one region.

    Raises:
        OptionsError: its files are not readable or do not fit each other.
    """
    path = folder / f"{name}.png"
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    try:
        if picture is None:
            raise ValueError("the PNG is not readable")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as kept:
            landmarks_xy, person, kind = kept["landmarks_xy"], kept["person"], str(kept["kind"])
            inner = kept["inner"] if "inner" in kept else np.array((0, 0, *picture.shape[1::-1]))
        if landmarks_xy.shape != (478, 2) or person.ndim != 2 or person.dtype != np.uint8 or not person.size:
            raise ValueError("landmarks or mask have another shape")
        if not np.isfinite(landmarks_xy).all():
            raise ValueError("landmarks are not finite")
        left, top, right, bottom = (float(edge) for edge in inner)
        if not (0 <= left < right <= picture.shape[1] and 0 <= top < bottom <= picture.shape[0]):
            raise ValueError("its part in the photo lies outside of it")
    except (OSError, *NPZ_UNREADABLE) as error:
        raise OptionsError(f"region {path}", str(error), "collect the regions again") from error
    side_px = picture.shape[0]
    whole = cv2.resize(person, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    landmarks_xy = landmarks_xy.astype(np.float32)
    return AlignedRegion(name, rgb, landmarks_xy, whole, kind, (left, top, right, bottom))  # type: ignore[arg-type]
