"""A contact sheet: every look on the same face, with its name."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from engines.errors import OptionsError
from engines.looks import Look
from live.pipeline.frame import Face, Frame, ImageU8
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.painter import Painter
from live.session import stop_on_signals
from live.sources.still_picture import read_picture, write_picture
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

_TILE = 360


def find_faces(picture_bgr: ImageU8, *, max_faces: int = 1) -> tuple[Face, ...]:
    """Return the faces of a single (H, W, 3) uint8 BGR picture, without temporal smoothing."""
    tracker = FaceMeshTracker(max_faces=max_faces, still=True)
    try:
        return tracker.track(Frame(picture_bgr, 0, time.monotonic(), 0.0))
    finally:
        tracker.close()


def write_sheet(path: Path, looks: Mapping[str, Look], photo: Path | None) -> None:
    """Paint every look onto the photo's face and write all of them as one picture.

    Args:
        path: of the sheet.
        looks: by name, in the order of the sheet.
        photo: None for the built-in portrait.

    Raises:
        SourceError: The photo cannot be read.
        OptionsError: No face is found on it.
        SinkError: The sheet cannot be written.
        KeyboardInterrupt: A signal was received; nothing is written.
    """
    stopped = threading.Event()
    with stop_on_signals(stopped.set):  # checked between two looks: not all libraries survive an interruption
        tiles = _tiles(looks, photo, stopped)
    columns = min(3, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    write_picture(path, np.vstack(rows))


def _tiles(looks: Mapping[str, Look], photo: Path | None, stopped: threading.Event) -> list[ImageU8]:
    """Return a tile for every look; stops between two looks if `stopped` is set."""
    picture_bgr = portrait_bgr() if photo is None else read_picture(photo)
    faces = find_faces(picture_bgr)
    if not faces:
        raise OptionsError(f"photo {photo}", "no face was found on it", "use one with a face that looks at the camera")
    with PersonSegmenter(still=True) as segmenter:
        person = segmenter.mask(picture_bgr)
    look_loader = LookLoader(looks, runtime="auto", say=lambda line: None)
    tiles: list[ImageU8] = []
    try:
        for name in looks:
            if stopped.is_set():
                break
            scaled_bgr, face = _scaled(picture_bgr, faces[0], looks[name])
            Painter().paint(scaled_bgr, (face,), look_loader.load(name), 1.0, at_s=0.0, person=person)
            tiles.append(_labelled(_close_up(scaled_bgr, face), name))
    finally:
        look_loader.close()
    if stopped.is_set():
        raise KeyboardInterrupt
    return tiles


def _scaled(picture_bgr: ImageU8, face: Face, look: Look) -> tuple[ImageU8, Face]:
    """Scale the picture so that the face fills a tile, with hair and shoulders if the look draws them too."""
    low, high = face.landmarks_xy.min(0), face.landmarks_xy.max(0)
    scale = _TILE / (float((high - low).max()) * (2.1 if look.covers else 1.5))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled_bgr = np.asarray(cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=interpolation), np.uint8)
    return scaled_bgr, Face(face.face_id, (face.landmarks_xy * scale).astype(np.float32))


def _close_up(picture_bgr: ImageU8, face: Face) -> ImageU8:
    """Cut a tile of the picture with the face in its centre."""
    centre = (face.landmarks_xy.min(0) + face.landmarks_xy.max(0)) / 2
    matrix = np.array([[1.0, 0, round(_TILE / 2 - centre[0])], [0, 1.0, round(_TILE / 2 - centre[1])]])
    tile = cv2.warpAffine(picture_bgr, matrix, (_TILE, _TILE), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(tile, np.uint8)


def _labelled(tile_bgr: ImageU8, name: str) -> ImageU8:
    label = np.full((36, _TILE, 3), 255, np.uint8)
    cv2.putText(label, name, (10, 25), cv2.FONT_HERSHEY_SIMPLEX, 0.65, (40, 40, 40), 1, cv2.LINE_AA)
    return np.vstack([tile_bgr, label])
