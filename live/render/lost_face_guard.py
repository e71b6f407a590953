"""Detects faces that were found on earlier frames and are missing now while other faces are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, TrackedFrame
from live.render.look_loader import LoadedLook
from live.tracking.base import LANDMARKS

_BOX_SCALE = 1.25  # of the face outline's bounding box
_MIN_PERSON_VALUE, _MIN_PERSON_SHARE = 128, 0.25  # of the mask's pixels in a box that shows a person
_MAX_MOVE = 3.0  # face sizes that a head may move while its face is not found
_MIN_FRAMES_FOUND = 5  # a pattern that is mistaken for a face is found on one or two frames
_MEMORY_S = 0.5  # for looks that do not cover: long enough if a covering look is selected right after


@dataclass(slots=True)
class _KnownFace:
    """A face that was found.

    Attributes:
        box: (4,) float32 left, top, right, bottom in frame pixels.
        at_s: time of the last frame on which it was found, or covered by a layer that does not depend on faces.
        companions: ids of the faces on the last frame on which it was found, including its own.
        frames_found: number of frames on which it was found.
    """

    box: Floats
    at_s: float
    companions: frozenset[int]
    frames_found: int


class LostFaceGuard:
    """Tracks the faces of one stream, and reports those that a look would leave uncovered because they are not found.

    A face that is no longer found counts as lost for the look's `hold_s`, unless its box shows a person: the policy has
    every person drawn or blurred. It counts as found again if there are as many faces as before and one that is new
    lies near it, or its box shows no person. The person mask is ignored if it shows no person in the box of any found
    face.
    """

    def __init__(self) -> None:
        self._known: dict[int, _KnownFace] = {}

    def is_face_lost(self, tracked: TrackedFrame, loaded: LoadedLook) -> bool:
        """Update the memory with a frame, and return whether the look would leave a lost face uncovered.

        Call it once for each frame that is to be painted.
        """
        at_s = tracked.frame.time_s
        ids = frozenset(face.face_id for face in tracked.faces)
        boxes = {face.face_id: box for face in tracked.faces if (box := _face_box(face)) is not None}
        drawn_region = loaded.look.region_drawn_without_faces
        memory_s = loaded.look.hold_s if loaded.covers else _MEMORY_S
        found_boxes = list(boxes.values())
        missing_ids = self._known.keys() - ids
        mask_unreliable = bool(missing_ids) and not any(_shows_person(tracked, box, []) for box in found_boxes)
        lost = False
        for face_id in missing_ids:
            known = self._known[face_id]
            person_seen = _shows_person(tracked, known.box, found_boxes)
            if person_seen and loaded.covers:  # what the mask shows is drawn or blurred
                continue
            if drawn_region == "frame" or _is_found_again(known, person_seen or mask_unreliable, boxes):
                del self._known[face_id]
            elif abs(at_s - known.at_s) <= memory_s or (
                known.frames_found >= _MIN_FRAMES_FOUND and (person_seen or (mask_unreliable and loaded.covers))
            ):
                lost = True
            else:
                del self._known[face_id]
        for face_id, box in boxes.items():
            frames_found = self._known[face_id].frames_found + 1 if face_id in self._known else 1
            self._known[face_id] = _KnownFace(box, at_s, ids, frames_found)
        return lost and loaded.covers


def _face_box(face: Face) -> Floats | None:
    """Return left, top, right, bottom; None for invalid landmarks (the painter reports that face as bare)."""
    xy: object = face.landmarks_xy
    if not isinstance(xy, np.ndarray) or xy.shape != (LANDMARKS, 2) or xy.dtype.kind not in "fiu":
        return None
    outline_xy = np.asarray(xy[FACE_OVAL], np.float32)
    if not np.isfinite(outline_xy).all():
        return None
    low, high = outline_xy.min(0), outline_xy.max(0)
    margin = (high - low) * (_BOX_SCALE - 1) / 2
    return np.asarray(np.concatenate([low - margin, high + margin]), np.float32)


def _shows_person(tracked: TrackedFrame, box: Floats, excluded: list[Floats]) -> bool:
    """Whether the person mask shows a person in the box, outside the excluded boxes."""
    if tracked.person is None:
        return False
    height, width = tracked.person.shape[:2]
    scale = np.tile(np.array([width, height]) / tracked.frame.size_wh, 2)
    left, top, right, bottom = _clipped(box * scale, width, height)
    is_person = tracked.person[top:bottom, left:right] >= _MIN_PERSON_VALUE
    if not is_person.size:
        return False
    for other in excluded:
        x0, y0, x1, y1 = _clipped(other * scale, width, height)
        is_person[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = False
    return bool(is_person.mean() >= _MIN_PERSON_SHARE)


def _clipped(box: Floats, width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = np.rint(np.clip(box, 0, (width, height, width, height))).astype(int).tolist()
    return left, top, right, bottom


def _is_found_again(known: _KnownFace, person_seen: bool, boxes: dict[int, Floats]) -> bool:
    """Whether one of the faces on this frame that were not companions of the known face may be that face."""
    if len(boxes) < len(known.companions):
        return False
    new_boxes = (box for face_id, box in boxes.items() if face_id not in known.companions)
    return not person_seen or any(_distance(known.box, box) < _MAX_MOVE for box in new_boxes)


def _distance(one: Floats, other: Floats) -> float:
    """Return the distance between two boxes' centres, in sizes of the larger box."""
    size = max(float((box[2:] - box[:2]).max()) for box in (one, other))
    return float(np.hypot(*((one[:2] + one[2:]) - (other[:2] + other[2:])) / 2)) / max(size, 1e-6)
