"""A face at the size of a tile, for the contact sheet and the control page."""

from __future__ import annotations

import time

import cv2
import numpy as np

from live.pipeline.frame import Face, Frame, ImageU8
from live.tracking.face_mesh import FaceMeshTracker

TILE_PX = 400
_TILE_PER_FACE = 2.1  # a tile's side over the face's: room for hair and shoulders, which some looks draw


def find_faces(picture_bgr: ImageU8) -> tuple[Face, ...]:
    """Find the largest face of a single picture, without smoothing over time; () if there is none."""
    tracker = FaceMeshTracker(max_faces=1, still=True)
    try:
        return tracker.track(Frame(picture_bgr, 0, time.monotonic(), 0.0))
    finally:
        tracker.close()


def scale_to_tile(picture_bgr: ImageU8, face: Face, tile_px: int = TILE_PX) -> tuple[ImageU8, Face]:
    """Resize the picture so that the face has the size it has in a tile."""
    extent = face.landmarks_xy.max(0) - face.landmarks_xy.min(0)
    scale = tile_px / (float(extent.max()) * _TILE_PER_FACE)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled_bgr = cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=interpolation)
    return np.asarray(scaled_bgr, np.uint8), Face(face.face_id, (face.landmarks_xy * scale).astype(np.float32))


def cut_tile(picture_bgr: ImageU8, face: Face, tile_px: int = TILE_PX) -> ImageU8:
    """Cut the square around the middle of the face; pixels outside of the picture repeat its border."""
    middle = (face.landmarks_xy.min(0) + face.landmarks_xy.max(0)) / 2
    shift = np.round(tile_px / 2 - middle)
    matrix = np.array([[1.0, 0, shift[0]], [0, 1.0, shift[1]]])
    size_wh = (tile_px, tile_px)
    tile_bgr = cv2.warpAffine(picture_bgr, matrix, size_wh, flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(tile_bgr, np.uint8)
