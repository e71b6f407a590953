"""Aligned regions on disk, NAME.png and NAME.npz, which training and calibration read.

The PNG is the square region in RGB. The npz holds its landmarks, the person mask, and the part that lies in the photo.
`calibration.sets.region_collector` writes them with the tracker; reading needs no tracker.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError, os_errors
from engines.files import atomic_write

_PERSON_SIDE_PX = 128


@dataclass(frozen=True, slots=True, eq=False)
class AlignedRegion:
    """The square region of one face.

    Attributes:
        name: Stem of its files.
        rgb: (S, S, 3) uint8.
        landmarks_xy: (478, 2) float32 pixels of the region, MediaPipe face mesh order; some may lie outside.
        person: (S, S) uint8, confidence that a pixel shows the person, 0..255.
        kind: "face", "head" or "frame".
        inner: The part that lies in the photo, in pixels of the region: left, top, right, bottom. The photo's border
            pixels are repeated beyond it. None for the whole region.
    """

    name: str
    rgb: NDArray[np.uint8]
    landmarks_xy: NDArray[np.float32]
    person: NDArray[np.uint8]
    kind: str
    inner: tuple[float, float, float, float] | None = None


def save_region(region: AlignedRegion, folder: Path) -> None:
    """Write a region, the PNG last: see `region_names`. Raises OptionsError if the folder is not writable or full."""
    person = cv2.resize(region.person, (_PERSON_SIDE_PX, _PERSON_SIDE_PX), interpolation=cv2.INTER_AREA)
    side_px = region.rgb.shape[0]
    inner = np.array(region.inner or (0, 0, side_px, side_px), np.float32)
    arrays = {"landmarks_xy": region.landmarks_xy, "person": person, "inner": inner, "kind": np.array(region.kind)}
    with os_errors(f"regions in {folder}", "name another folder, or make room"):
        np.savez_compressed(folder / f"{region.name}.npz", **arrays)
        encoded = cv2.imencode(".png", cv2.cvtColor(region.rgb, cv2.COLOR_RGB2BGR))[1]
        atomic_write(folder / f"{region.name}.png", encoded.tobytes())


def region_names(folder: Path) -> list[str]:
    """Return the names of all complete regions in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.png") if path.with_suffix(".npz").is_file())


def load_region(folder: Path, name: str) -> AlignedRegion:
    """Read one region. Raises OptionsError if its files are not readable, or do not fit each other."""
    path = folder / f"{name}.png"
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    try:
        if picture is None:
            raise ValueError("the PNG is not readable")
        with np.load(path.with_suffix(".npz"), allow_pickle=False) as arrays:
            landmarks_xy, person, kind = arrays["landmarks_xy"], arrays["person"], str(arrays["kind"])
            inner = arrays["inner"] if "inner" in arrays else np.array((0, 0, *picture.shape[1::-1]))
        if landmarks_xy.shape != (478, 2) or person.ndim != 2 or person.dtype != np.uint8 or not person.size:
            raise ValueError("landmarks or mask have another shape")
        if not np.isfinite(landmarks_xy).all():
            raise ValueError("landmarks are not finite")
        left, top, right, bottom = (float(edge) for edge in inner)
        if not (0 <= left < right <= picture.shape[1] and 0 <= top < bottom <= picture.shape[0]):
            raise ValueError("its part in the photo lies outside of it")
    except Exception as error:  # numpy raises exceptions of many types for a damaged npz
        raise OptionsError(f"region {path}", str(error), "collect the regions again") from error
    side_px = picture.shape[0]
    person = cv2.resize(person, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    inner_ltrb = (left, top, right, bottom)
    return AlignedRegion(name, rgb, landmarks_xy.astype(np.float32), person, kind, inner_ltrb)  # type: ignore[arg-type]
