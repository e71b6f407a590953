"""Which part of a frame belongs to which face, so that a look can be for one person and not for another."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import cv2
import numpy as np

from engines.looks import Look
from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, Head, ImageU8

_LONG_SIDE_PX = 256
_REACH = 3.0  # half the width of a body, in face widths


def part_of_persons(
    person: ImageU8 | None,
    frame_wh: tuple[int, int],
    faces: Sequence[Face],
    chosen: Collection[int],
    heads: Sequence[Head] = (),
) -> ImageU8:
    """Return the person mask where the nearest face or head is one of the chosen faces.

    A body lies below its face. Pixels beyond the reach of all faces belong to none of them.

    Args:
        person: (h, w) uint8; None for everywhere.
        frame_wh: Size of the frame, in whose pixels the landmarks are.
        faces: All faces that may be in the picture.
        chosen: Ids.
        heads: See `TrackedFrame`: persons whose faces are not tracked, and who are therefore not chosen.

    Returns:
        (h, w) uint8 of the same size; without a mask, of a small one.
    """
    scale = min(1.0, _LONG_SIDE_PX / max(frame_wh))
    width, height = max(2, round(frame_wh[0] * scale)), max(2, round(frame_wh[1] * scale))
    boxes = [(outline.min(0), outline.max(0)) for outline in (face.landmarks_xy[FACE_OVAL] for face in faces)]
    boxes += [(np.array(centre_xy) - size_px / 2, np.array(centre_xy) + size_px / 2) for centre_xy, size_px in heads]
    areas = [_distance(low * scale, high * scale, width, height) for low, high in boxes]
    if not any(face.face_id in chosen for face in faces):
        return np.zeros((height, width) if person is None else person.shape, np.uint8)
    distances = np.stack(areas)
    is_chosen = np.array([*(face.face_id in chosen for face in faces), *(False for _ in heads)])
    part = np.asarray(is_chosen[distances.argmin(0)] & (distances.min(0) < _REACH), np.uint8) * np.uint8(255)
    if person is None:
        return np.asarray(part, np.uint8)
    return np.asarray(cv2.min(person, cv2.resize(part, person.shape[1::-1])), np.uint8)


def without_persons(
    person: ImageU8 | None,
    frame_wh: tuple[int, int],
    faces: Sequence[Face],
    shown: Collection[int],
    heads: Sequence[Head] = (),
) -> ImageU8 | None:
    """Return the person mask without the persons of some faces; None stays None."""
    if person is None:
        return None
    return np.asarray(cv2.subtract(person, part_of_persons(person, frame_wh, faces, shown, heads)), np.uint8)


def faces_to_hide(look: Look, faces: Sequence[Face], names: Mapping[int, str]) -> tuple[Face, ...]:
    """Return the faces that must not be seen as they are; see `Look.may_be_bare`."""
    return tuple(face for face in faces if not look.may_be_bare(names.get(face.face_id)))


def _distance(low: Floats, high: Floats, width: int, height: int) -> Floats:
    """Return how far each pixel is from the column of a face between two corners (2,), in face widths."""
    size = max(float((high - low).max()), 1.0)
    across = np.abs(np.arange(width, dtype=np.float32) - (low[0] + high[0]) / 2) / size
    above = np.maximum(0, low[1] - size - np.arange(height, dtype=np.float32)) / size
    return np.asarray(across[None] + 2 * above[:, None], np.float32)
