"""Faces that were there and are not found now, while another one is: a covering look must not go on without them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, TrackedFrame
from live.render.look_loader import ReadyLook
from live.tracking.base import LANDMARKS

_PLACE = 1.25  # of the outline's box: so much around a face belongs to its place
_PERSON, _PART = 128, 0.25  # a place shows a person where so much of it is one, that surely
_NEAR = 3.0  # face sizes: so far a head moves while nobody finds its face
_SURELY = 5  # frames: a pattern on a shirt is taken for a face for one or two
_FORGET_S = 0.5  # under make-up: who put a covering look on in this time would be missed


@dataclass(slots=True)
class _Seen:
    """Where a face was found last.

    Attributes:
        box: left, top, right, bottom of its place in frame pixels.
        at_s: when it was last found, or drawn all the same.
        beside: the faces that were there then, itself among them.
        times: on how many frames it was found.
    """

    box: Floats
    at_s: float
    beside: frozenset[int]
    times: int


class LostFaceGuard:
    """Remembers the faces of one film; called in the loop, once for each frame on which there is a face.

    A face that is not found any more is missing as long as its place shows somebody whom no layer draws, and for the
    look's `hold_s` in any case. It is found again where as many faces as before are there and a new one of them is
    near, or its place shows nobody. Who looks for persons and sees none even where a face is found is not believed.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def any(self, tracked: TrackedFrame, ready: ReadyLook, at_s: float) -> bool:
        """Whether somebody's face on this frame would be left bare by this look, for want of being found."""
        beside = frozenset(face.face_id for face in tracked.faces)
        here = {face.face_id: box for face in tracked.faces if (box := _place(face)) is not None}
        veil = _veil(ready)
        stays_s = ready.look.hold_s if ready.covers else _FORGET_S
        places = list(here.values())
        gone = self._seen.keys() - beside
        blind = bool(gone) and not any(_shows_person(tracked, box, []) for box in places)
        missing = False
        for face_id in gone:
            seen = self._seen[face_id]
            shown = _shows_person(tracked, seen.box, places)
            if shown and veil == "person":
                seen.at_s = at_s
            elif veil == "frame" or _is_back(seen, shown or blind, here):
                del self._seen[face_id]
            elif abs(at_s - seen.at_s) <= stays_s or (seen.times >= _SURELY and (shown or (blind and ready.covers))):
                missing = True
            else:
                del self._seen[face_id]
        for face_id, box in here.items():
            times = self._seen[face_id].times + 1 if face_id in self._seen else 1
            self._seen[face_id] = _Seen(box, at_s, beside, times)
        return missing and ready.covers


def _place(face: Face) -> Floats | None:
    """Left, top, right, bottom; None for landmarks that are none (the painter counts that face as bare)."""
    xy: object = face.landmarks_xy
    if not isinstance(xy, np.ndarray) or xy.shape != (LANDMARKS, 2) or xy.dtype.kind not in "fiu":
        return None
    outline_xy = np.asarray(xy[FACE_OVAL], np.float32)
    if not np.isfinite(outline_xy).all():
        return None
    low, high = outline_xy.min(0), outline_xy.max(0)
    grown = (high - low) * (_PLACE - 1) / 2
    return np.asarray(np.concatenate([low - grown, high + grown]), np.float32)


def _veil(ready: ReadyLook) -> str:
    """What is drawn without a face as strongly as faces are: "frame" (everything), "person", or nothing."""
    drawn = [layer for layer in ready.layers if layer.output == "picture"]
    most = max((layer.strength for layer in drawn), default=0.0)
    kinds = {layer.region for layer in drawn if layer.strength >= most}
    return next((kind for kind in ("frame", "person") if kind in kinds), "")


def _shows_person(tracked: TrackedFrame, box: Floats, others: list[Floats]) -> bool:
    """Whether somebody is seen in that place who is none of the others."""
    if tracked.person is None:
        return False
    height, width = tracked.person.shape[:2]
    scale = np.tile(np.array([width, height]) / tracked.frame.size_wh, 2)
    left, top, right, bottom = _whole(box * scale, width, height)
    place = tracked.person[top:bottom, left:right] >= _PERSON
    if not place.size:
        return False
    for other in others:
        x0, y0, x1, y1 = _whole(other * scale, width, height)
        place[max(0, y0 - top) : max(0, y1 - top), max(0, x0 - left) : max(0, x1 - left)] = False
    return bool(place.mean() >= _PART)


def _whole(box: Floats, width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = np.rint(np.clip(box, 0, (width, height, width, height))).astype(int).tolist()
    return left, top, right, bottom


def _is_back(seen: _Seen, shown: bool, here: dict[int, Floats]) -> bool:
    """Whether one of the faces that are here now, and were not beside it, may be it."""
    if len(here) < len(seen.beside):
        return False
    new = (box for face_id, box in here.items() if face_id not in seen.beside)
    return not shown or any(_apart(seen.box, box) < _NEAR for box in new)


def _apart(one: Floats, other: Floats) -> float:
    """The distance of two places' middles, in sizes of the larger one."""
    size = max(float((box[2:] - box[:2]).max()) for box in (one, other))
    return float(np.hypot(*((one[:2] + one[2:]) - (other[:2] + other[2:])) / 2)) / max(size, 1e-6)
