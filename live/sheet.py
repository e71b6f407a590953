"""A contact sheet: every look on the same face, named."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError
from engines.looks import Look
from live.frame import Face, Frame, ImageU8
from live.painter import Painter
from live.portrait import portrait_bgr
from live.session import stop_on_signals
from live.sources.still import read_picture, write_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person import PersonSegmenter
from live.wardrobe import Wardrobe

_TILE = 360


def find_faces(picture_bgr: ImageU8, *, max_faces: int = 1) -> tuple[Face, ...]:
    """The faces of one picture on its own, without smoothing."""
    tracker = FaceMeshTracker(max_faces=max_faces, still=True)
    try:
        return tracker.track(Frame(picture_bgr, 0, time.monotonic(), 0.0))
    finally:
        tracker.close()


def write_sheet(path: Path, looks: Mapping[str, Look], photo: Path | None) -> None:
    """Paint every look onto the photo's face and write all as one picture.

    Raises:
        SourceError: the photo cannot be read.
        OptionsError: there is no face on it.
        SinkError: the sheet cannot be written.
        KeyboardInterrupt: it was stopped; nothing is written then.
    """
    stopped = threading.Event()
    with stop_on_signals(stopped.set):  # not in the middle of a library's own work, which may not bear it
        tiles = _tiles(looks, photo, stopped)
    columns = min(3, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    write_picture(path, np.vstack(rows))


def _tiles(looks: Mapping[str, Look], photo: Path | None, stopped: threading.Event) -> list[ImageU8]:
    """The face in every look; asks between any two of them whether to stop."""
    picture_bgr = portrait_bgr() if photo is None else read_picture(photo)
    faces = find_faces(picture_bgr)
    if not faces:
        raise OptionsError(f"photo {photo}", "no face was found on it", "use one with a face that looks at the camera")
    close_bgr, close = _close_up(picture_bgr, faces[0])
    with PersonSegmenter() as segmenter:
        person = segmenter.mask(close_bgr)
    wardrobe = Wardrobe(looks, runtime="auto", say=lambda line: None)
    tiles: list[ImageU8] = []
    try:
        for name in looks:
            if stopped.is_set():
                break
            worn_bgr = close_bgr.copy()
            Painter().paint(worn_bgr, (close,), wardrobe.prepare(name), 1.0, at_s=0.0, person=person)
            tiles.append(_labelled(worn_bgr, name))
    finally:
        wardrobe.close()
    if stopped.is_set():
        raise KeyboardInterrupt
    return tiles


def _close_up(picture_bgr: ImageU8, face: Face) -> tuple[ImageU8, Face]:
    """The face with some room round it at the tile's size, and its landmarks there."""
    low, high = face.landmarks_xy.min(0), face.landmarks_xy.max(0)
    middle, side = (low + high) / 2, float((high - low).max()) * 1.5
    scale = _TILE / side
    if scale < 0.7:  # warping skips pixels where it shrinks much: average first
        picture_bgr = np.asarray(
            cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8
        )
    rest = 1.0 if scale < 0.7 else scale
    shift = _TILE / 2 - middle * scale
    matrix = np.array([[rest, 0, shift[0]], [0, rest, shift[1]]])
    tile = cv2.warpAffine(picture_bgr, matrix, (_TILE, _TILE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(tile, np.uint8), Face(face.face_id, (face.landmarks_xy * scale + shift).astype(np.float32))


def _labelled(tile_bgr: ImageU8, name: str) -> ImageU8:
    label = np.full((36, _TILE, 3), 255, np.uint8)
    cv2.putText(label, name, (10, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([tile_bgr, label])
