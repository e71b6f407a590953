"""Cut the drawings of an unpaired training: by eyes and mouth where a face is found, else by their own frame."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.sets.region_collector import names_of, photos_in
from calibration.training.train_photos import stamp
from calibration.training.train_request import TrainRequest
from engines.errors import OptionsError, SourceError
from engines.regions.eyes import IRIS_CENTRES
from engines.training.checkpoints.checkpoint import prepare_folder
from engines.training.data.aligned import load_region, region_names
from engines.training.data.dataset_marker import folder_errors, refuse_foreign, write_marker
from engines.training.data.picture_pairs import ImageU8, cropped_to
from engines.untrusted_files import json_or_empty
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Frame
from live.tracking.face_mesh import FaceMeshTracker

_MADE = "made.json"
_SIDE_PX = 512
_LIPS = (13, 14)  # the middle of the mouth: between the inner lips of the face mesh
_MAX_SCALE = 6.0  # a face smaller than that is a pattern of the drawing rather than its face

Points = NDArray[np.float64]


@dataclass(slots=True)
class Drawings:
    """Number of drawings aligned by their face, of those cut by their own frame, and unreadable files."""

    aligned: int = 0
    framed: int = 0
    unreadable: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return one line, or "" if no drawing was cut now."""
        if not self.aligned + self.framed:
            return ""
        line = f"drawings: {self.aligned} aligned by eyes and mouth, {self.framed} without a face cut by their frame"
        unreadable = f"; {len(self.unreadable)} unreadable ({', '.join(self.unreadable[:3])})"
        return line + unreadable if self.unreadable else line


def prepare_drawings(request: TrainRequest, *, on_drawing: Callable[[int], None] = lambda _total: None) -> Drawings:
    """Cut the drawings into WORK/drawings, unless the same drawings were cut there before.

    The regions of the photos must be there: eyes and mouth of the drawings come to the same places as on the photos, on
    average. Raises OptionsError if there are no drawings, or the folder holds other files or cannot be written;
    TrackingError if there is no face model.
    """
    assert request.drawings is not None
    folder, marker, result = request.drawn, request.drawn / _MADE, Drawings()
    try:
        files = photos_in([request.drawings])
    except OptionsError as error:
        raise OptionsError(f"drawings in {request.drawings}", "no pictures there", error.do) from error
    places = _mean_places(request.regions)
    key = {
        "drawings": hashlib.sha256("\n".join(map(stamp, files)).encode()).hexdigest(),
        "places": places.round(4).tolist(),
    }
    if json_or_empty(marker) == key:
        return result
    prepare_folder(folder)
    old = list(folder.glob("*.png"))
    refuse_foreign("drawings", folder, old, [marker])
    write_marker(marker, {"begun": True})
    names = names_of(files)
    tracker = FaceMeshTracker(max_faces=1, smooth=False, still=True)
    with folder_errors("drawings", folder), closing(tracker):
        for path in old:
            path.unlink()
        for file in files:
            try:
                drawing_bgr = read_picture(file)
            except SourceError as error:
                result.unreadable.append(f"{file}: {error.got}")
            else:
                faces = tracker.track(Frame(drawing_bgr, 0, 0.0))
                cut = aligned(drawing_bgr, _places(faces[0].landmarks_xy), places) if faces else None
                result.aligned += cut is not None
                result.framed += cut is None
                framed = cropped_to(drawing_bgr, (_SIDE_PX, _SIDE_PX)) if cut is None else cut
                (folder / f"{names[file]}.png").write_bytes(cv2.imencode(".png", framed)[1].tobytes())
            on_drawing(len(files))
    if not result.aligned + result.framed:
        got = f"{len(result.unreadable)} unreadable files"
        raise OptionsError(f"drawings in {request.drawings}", got, "name a folder of pictures")
    write_marker(marker, key)
    return result


def aligned(drawing_bgr: ImageU8, at: Points, places: Points) -> ImageU8 | None:
    """Return a square of a drawing, 512 pixels wide, upright, or None if its face is too small.

    Args:
        at: Middle of the eyes and of the mouth on the drawing, (2, 2) pixels.
        places: Where they come to, (2, 2), in parts of the square's side.
    """
    scale = _SIDE_PX * float(np.linalg.norm(places[1] - places[0])) / max(1e-6, float(np.linalg.norm(at[1] - at[0])))
    if not np.isfinite(scale) or scale * min(drawing_bgr.shape[:2]) > _MAX_SCALE * _SIDE_PX:
        return None
    shift = _SIDE_PX * places.mean(0) - scale * at.mean(0)
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    moved = cv2.warpAffine(drawing_bgr, matrix, (_SIDE_PX, _SIDE_PX), flags=how, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _mean_places(regions: Path) -> Points:
    """Return where the eyes and the mouth of the photos lie on average, (2, 2), in parts of the region's side."""
    found = []
    for name in region_names(regions):
        region = load_region(regions, name)
        found.append(_places(region.landmarks_xy) / region.rgb.shape[0])
    return np.asarray(np.mean(found, axis=0), np.float64)


def _places(landmarks_xy: NDArray[np.float32]) -> Points:
    """Return the middle of the eyes and of the mouth, (2, 2) pixels."""
    places = np.stack([landmarks_xy[IRIS_CENTRES].mean(0), landmarks_xy[list(_LIPS)].mean(0)])
    return np.asarray(places, np.float64)
