"""Hands before faces: MediaPipe's hand landmarks in a crop around the largest face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal

import cv2
import numpy as np

from engines.regions.hand_shapes import hand_width_px
from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.tracking.base import LANDMARKS
from live.tracking.far_faces import Box
from live.tracking.mesh_model import loading
from live.tracking.scene_cut import SceneCut

_LIVE_INTERVAL_S, _FILM_INTERVAL_S = 0.3, 0.2  # between two searches
_NEAR_INTERVAL_S = 0.15  # live, while a hand is in the crop but not before a face
_MAX_AGE_S = 0.5  # of the frame that was searched: older results are discarded
_HOLD_S = 0.1  # a hand that is not found is kept for so long
_AROUND = 1.6  # of the face's height, from its centre to each side of the crop
_MAX_SIDE_PX = 480  # larger crops are reduced
_REACH = 0.2  # of the face's height around its outline: hands there belong to the face
_MIN_CONFIDENCE = {"search": 0.6, "confirm": 0.5, "one": 0.5, "two": 0.5}
_AGREEMENT, _FOLLOWED = 0.5, 1.5  # mean distance of landmarks, in palm widths: of both models, and of two frames
_SIZES = 0.28, 2.0  # widths of palms, in face widths; others are mistakes
_LARGER = 1.15  # another face is chosen if it is so much larger
_STILL, _TAU_S = 0.06, 0.08  # move in palm widths that is followed at once, and time constant of the smallest moves

_Model = Literal["search", "confirm", "one", "two"]  # two to search, and two that follow hands from frame to frame


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """A search in another thread: the number of hands near the face, those before faces, and the frame's time."""

    future: Future[tuple[int, list[Floats]]]
    at_s: float


class HandFinder:
    """Finds the hands before the faces of consecutive frames. All calls must come from one thread.

    Hands are seldom before a face. A search in intervals finds them, and they are followed on every frame until they
    leave the face: at most two hands, near the largest face. See docs/benchmarks.md for their costs.

    Args:
        still: The frames are unrelated pictures: each is searched.
        live: Search in a thread of its own, so that no frame waits; otherwise in the calling thread.
    """

    def __init__(self, *, still: bool = False, live: bool = False) -> None:
        self._still, self._live = still, live
        self._models: dict[_Model, Any] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._search: _Search | None = None
        self._cut = SceneCut()
        self._face_id: int | None = None  # of the face around which hands are searched
        self._hands: list[Floats] = []  # before a face, on the last frame
        self._near = 0  # number of hands in the crop of the last search
        self._searched_s = self._seen_s = float("-inf")

    def with_hands(self, frame: Frame, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """Return the faces of a frame with the hands before them; see `Face.hands`.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its models.
        """
        usable = [face for face in faces if _is_usable(face, frame.size_wh)]
        if self._cut.seen(frame.bgr) or not usable:
            self._hands, self._search, self._near = [], None, 0
            self._searched_s = float("-inf")
        if not usable:
            return faces
        box = _crop_box(self._chosen(usable), frame.size_wh)
        found = self._searched(frame, box, usable)
        if found is not None and (self._still or len(found) > len(self._hands)):
            self._hands, self._seen_s = found, frame.time_s
        if self._hands and not self._still:
            self._follow(frame, box, usable)
        return tuple(replace(face, hands=tuple(_of_face(self._hands, face, usable))) for face in faces)

    def close(self) -> None:
        """Release the models; idempotent."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        for model in self._models.values():
            model.close()
        self._models = {}

    def _chosen(self, faces: Sequence[Face]) -> Face:
        """Return the largest face; another one only if it is clearly larger than that of the last frame."""
        largest = max(faces, key=_height_px)
        for face in faces:
            if face.face_id == self._face_id and _height_px(largest) < _LARGER * _height_px(face):
                return face
        self._face_id = largest.face_id
        return largest

    def _searched(self, frame: Frame, box: Box, faces: Sequence[Face]) -> list[Floats] | None:
        """Return what a search found that has ended; None if there is none. Begin the next one if it is due."""
        found = None
        if self._search is not None:
            if not self._search.future.done():
                return None
            search, self._search = self._search, None
            self._near, found = search.future.result()
            if abs(frame.time_s - search.at_s) > _MAX_AGE_S:
                found = None
        interval_s = _LIVE_INTERVAL_S if self._live or self._hands else _FILM_INTERVAL_S
        if self._live and self._near and not self._hands:
            interval_s = _NEAR_INTERVAL_S
        if self._still or abs(frame.time_s - self._searched_s) >= interval_s:
            self._searched_s, crop_rgb = frame.time_s, _crop_rgb(frame.bgr, box)
            if not self._live:
                self._near, found = self._find_surely(crop_rgb, box, faces)
                return found
            self._thread = self._thread or ThreadPoolExecutor(1, "hands")
            self._search = _Search(self._thread.submit(self._find_surely, crop_rgb, box, faces), frame.time_s)
        return found

    def _follow(self, frame: Frame, box: Box, faces: Sequence[Face]) -> None:
        """Find the hands of the last frame on this one; lost ones are held for a moment."""
        model: _Model = "two" if max(self._near, len(self._hands)) > 1 else "one"
        found = self._find(model, _crop_rgb(frame.bgr, box), box)
        before = [one for one in _before(found, faces) if any(_is_same(one, last, _FOLLOWED) for last in self._hands)]
        if before:
            elapsed_s = frame.time_s - self._seen_s
            self._hands, self._seen_s = [_steadied(one, self._hands, elapsed_s) for one in before], frame.time_s
            return
        if found:  # another hand is followed than that before the face
            self._near = 2
        if abs(frame.time_s - self._seen_s) > _HOLD_S:
            self._hands = []

    def _find_surely(self, crop_rgb: ImageU8, box: Box, faces: Sequence[Face]) -> tuple[int, list[Floats]]:
        """Return the number of hands in a crop, and those before faces on which both models agree.

        Each of the models mistakes a neck or a face for a hand now and then.
        """
        if self._live and "two" not in self._models:  # here, so that no frame waits for it
            self._load("one")
            self._load("two")
        near = self._find("search", crop_rgb, box)
        found = _before(near, faces)
        others = self._find("confirm", crop_rgb, box) if found else []
        return len(near), [one for one in found if any(_is_same(one, other, _AGREEMENT) for other in others)]

    def _find(self, model: _Model, crop_rgb: ImageU8, box: Box) -> list[Floats]:
        """Return the hands in a crop, (21, 3) each; see `Face.hands`."""
        self._load(model)
        width, height = box[2] - box[0], box[3] - box[1]
        scale, origin = np.array((width, height, width), np.float32), np.array((*box[:2], 0), np.float32)
        hands = self._models[model].process(crop_rgb).multi_hand_landmarks or ()
        return [
            np.array([(point.x, point.y, point.z) for point in hand.landmark], np.float32) * scale + origin
            for hand in hands
        ]

    def _load(self, model: _Model) -> None:
        if model in self._models:
            return
        with loading("the hand model"):
            from mediapipe.python.solutions.hands import Hands

            self._models[model] = Hands(
                static_image_mode=model in ("search", "confirm"),
                max_num_hands=1 if model == "one" else 2,  # with fewer than that, each call searches the picture
                model_complexity=int(model == "confirm"),
                min_detection_confidence=_MIN_CONFIDENCE[model],
            )
            self._models[model].process(np.zeros((64, 64, 3), np.uint8))  # the first picture takes long, with messages


def _height_px(face: Face) -> float:
    return float(np.ptp(face.landmarks_xy[FACE_OVAL, 1]))


def _crop_box(face: Face, frame_wh: tuple[int, int]) -> Box:
    """Return the part of a frame in which hands are searched."""
    (x, y), reach_px = face.landmarks_xy[FACE_OVAL].mean(0).tolist(), _AROUND * _height_px(face)
    sides = x - reach_px, y - reach_px, x + reach_px, y + reach_px
    left, top, right, bottom = (round(min(max(side, 0.0), frame_wh[at % 2])) for at, side in enumerate(sides))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _crop_rgb(frame_bgr: ImageU8, box: Box) -> ImageU8:
    """Return a copy of the box, reduced if it is large: the frame will be painted."""
    crop_bgr = frame_bgr[box[1] : box[3], box[0] : box[2]]
    scale = _MAX_SIDE_PX / max(crop_bgr.shape[:2])
    if scale < 1:
        crop_bgr = cv2.resize(crop_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _is_usable(face: Face, frame_wh: tuple[int, int]) -> bool:
    """Whether a face has finite landmarks, and a part of it is in the frame."""
    xy = face.landmarks_xy
    if xy.shape != (LANDMARKS, 2) or not np.isfinite(xy).all():
        return False
    low, high = xy.min(0), xy.max(0)
    return bool((high > 1).all() and (low < np.array(frame_wh) - 1).all() and (high - low > 1).all())


def _inside(hand: Floats, face: Face) -> float:
    """Return how far the innermost point of a hand is inside a face's outline, in face heights; negative outside."""
    outline = np.asarray(face.landmarks_xy[FACE_OVAL], np.float32)
    return max(cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y, _ in hand) / _height_px(face)


def _is_before(hand: Floats, face: Face) -> bool:
    """Whether a hand of a plausible size has a point before a face, or near its outline."""
    size = hand_width_px(hand) / float(np.ptp(face.landmarks_xy[FACE_OVAL, 0]))
    return _SIZES[0] < size < _SIZES[1] and _inside(hand, face) > -_REACH


def _before(hands: Sequence[Floats], faces: Sequence[Face]) -> list[Floats]:
    """Return the hands before one of the faces."""
    return [hand for hand in hands if any(_is_before(hand, face) for face in faces)]


def _of_face(hands: Sequence[Floats], face: Face, faces: Sequence[Face]) -> list[Floats]:
    """Return the hands that are before this face, and not more so before another one."""
    if not any(face is other for other in faces):
        return []
    return [hand for hand in _before(hands, [face]) if max(faces, key=lambda one: _inside(hand, one)) is face]


def _is_same(one: Floats, other: Floats, limit: float) -> bool:
    """Whether the mean distance of the landmarks of two hands is below a limit, in palm widths."""
    return float(np.linalg.norm((one - other)[:, :2], axis=1).mean()) < limit * hand_width_px(one)


def _steadied(hand: Floats, last: Sequence[Floats], elapsed_s: float) -> Floats:
    """Return a hand, smoothed by the nearest of the last frame: the smaller the move of a point, the more."""
    nearest = min(last, key=lambda one: float(np.abs(one - hand).mean()))
    moved = np.linalg.norm((hand - nearest)[:, :2], axis=1, keepdims=True) / hand_width_px(hand)
    weight = (moved / _STILL).clip(1 - math.exp(-abs(elapsed_s) / _TAU_S), 1)
    return np.asarray(nearest + weight * (hand - nearest), np.float32)
