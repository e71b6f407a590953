"""Which part of a frame belongs to which face, so that a look can be for one person and not for another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.looks import Look
from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, ImageU8

_LONG_SIDE_PX = 256
_REACH = 3.0  # half the width of a body, in face widths


def part_of_persons(
    person: ImageU8 | None, frame_wh: tuple[int, int], faces: Sequence[Face], chosen: Collection[int]
) -> ImageU8:
    """Return the person mask where the nearest face is one of the chosen.

    A body lies below its face. Pixels beyond the reach of all faces belong to none of them.

    Args:
        person: (h, w) uint8; None for everywhere.
        frame_wh: Size of the frame, in whose pixels the landmarks are.
        faces: All faces that may be in the picture.
        chosen: Ids.

    Returns:
        (h, w) uint8 of the same size; without a mask, of a small one.
    """
    scale = min(1.0, _LONG_SIDE_PX / max(frame_wh))
    width, height = max(2, round(frame_wh[0] * scale)), max(2, round(frame_wh[1] * scale))
    areas = [_distance(face, scale, width, height) for face in faces]
    if not areas or not any(face.face_id in chosen for face in faces):
        return np.zeros((height, width) if person is None else person.shape, np.uint8)
    distances = np.stack(areas)
    is_chosen = np.array([face.face_id in chosen for face in faces])
    part = np.asarray(is_chosen[distances.argmin(0)] & (distances.min(0) < _REACH), np.uint8) * np.uint8(255)
    if person is None:
        return np.asarray(part, np.uint8)
    return np.asarray(cv2.min(person, cv2.resize(part, person.shape[1::-1])), np.uint8)


def without_persons(
    person: ImageU8 | None, frame_wh: tuple[int, int], faces: Sequence[Face], shown: Collection[int]
) -> ImageU8 | None:
    """Return the person mask without the persons of some faces; None stays None."""
    if person is None:
        return None
    return np.asarray(cv2.subtract(person, part_of_persons(person, frame_wh, faces, shown)), np.uint8)


def faces_to_hide(look: Look, faces: Sequence[Face], names: Mapping[int, str]) -> tuple[Face, ...]:
    """Return the faces that must not be seen as they are; see `Look.may_be_bare`."""
    return tuple(face for face in faces if not look.may_be_bare(names.get(face.face_id)))


def _distance(face: Face, scale: float, width: int, height: int) -> NDArray[np.float32]:
    """Return how far each pixel is from a face's column, in face widths."""
    outline = face.landmarks_xy[FACE_OVAL] * scale
    low, high = outline.min(0), outline.max(0)
    size = max(float((high - low).max()), 1.0)
    across = np.abs(np.arange(width, dtype=np.float32) - (low[0] + high[0]) / 2) / size
    above = np.maximum(0, low[1] - size - np.arange(height, dtype=np.float32)) / size
    return np.asarray(across[None] + 2 * above[:, None], np.float32)
