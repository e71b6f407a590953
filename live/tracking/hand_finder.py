"""Hands before faces: MediaPipe's hand landmarks in a crop around the largest face."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from engines.regions.hand_shapes import hand_width_px
from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.tracking.mesh_model import loading

_LIVE_INTERVAL_S, _FILM_INTERVAL_S = 0.3, 0.1  # between two searches; each takes about 8 ms
_NEAR_INTERVAL_S = 0.1  # live, while a hand is in the crop but not before a face
_HOLD_S = 0.1  # a hand that is not found is kept for so long
_AROUND = 1.6  # of the face's height, from its centre to each side of the crop
_MAX_SIDE_PX = 480  # larger crops are reduced
_REACH = 0.2  # of the face's height around its outline: hands there belong to the face
_MIN_CONFIDENCE = {False: 0.6, True: 0.7}  # of the large and of the small model
_AGREEMENT = 0.5  # mean distance of the landmarks of both models, in palm widths
_SIZES = 0.25, 2.0  # widths of palms, in face widths; others are mistakes
_STILL, _WEIGHT = 0.06, 0.35  # move in palm widths that is followed at once, and weight of the smallest moves


Box = tuple[int, int, int, int]
"""left, top, right, bottom, in pixels."""


class HandFinder:
    """Finds the hands before the faces of consecutive frames. All calls must come from one thread.

    Hands are seldom before a face. A search in intervals finds them; then they are followed on every frame, until they
    leave the face. At most two hands are found, near the largest face.

    Args:
        still: The frames are unrelated pictures: each is searched.
        live: Search in a thread of its own, so that no frame waits; otherwise in the calling thread.
    """

    def __init__(self, *, still: bool = False, live: bool = False) -> None:
        self._still, self._live = still, live
        self._models: dict[bool, Any] = {}  # by whether it is the small one
        self._thread: ThreadPoolExecutor | None = None
        self._search: Future[list[Floats]] | None = None
        self._hands: list[Floats] = []  # before a face, on the last frame
        self._near = False  # whether a hand was in the crop
        self._searched_s = self._seen_s = float("-inf")

    def with_hands(self, frame: Frame, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """Return the faces of a frame with the hands before them; see `Face.hands`.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its models.
        """
        if not faces:
            self._hands = []
            return faces
        box = _crop_box(max(faces, key=_height_px), frame.size_wh)
        if self._hands or self._still or self._is_due(frame, box):
            find = self._find if self._hands and not self._still else self._find_surely
            self._follow(find(_crop_rgb(frame.bgr, box), box), faces, frame.time_s)
        return tuple(replace(face, hands=tuple(one for one in self._hands if _is_before(one, face))) for face in faces)

    def close(self) -> None:
        """Release the models; idempotent."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        for model in self._models.values():
            model.close()
        self._models = {}

    def _is_due(self, frame: Frame, box: Box) -> bool:
        """Whether this frame is to be searched now; live, whether a search of an earlier one found a hand."""
        if self._search is not None:
            if not self._search.done():
                return False
            self._near, self._search = bool(self._search.result()), None
            if self._near:
                return True
        interval_s = _FILM_INTERVAL_S if not self._live else _NEAR_INTERVAL_S if self._near else _LIVE_INTERVAL_S
        if abs(frame.time_s - self._searched_s) < interval_s:
            return False
        self._searched_s = frame.time_s
        if not self._live:
            return True
        self._thread = self._thread or ThreadPoolExecutor(1, "hands")
        self._search = self._thread.submit(self._find_surely, _crop_rgb(frame.bgr, box), box)
        return False

    def _follow(self, found: list[Floats], faces: Sequence[Face], at_s: float) -> None:
        """Remember the hands before faces; lost ones are held for a moment."""
        width_px = max(float(np.ptp(face.landmarks_xy[:, 0])) for face in faces)
        before = [one for one in found if any(_is_before(one, face) for face in faces)]
        before = [one for one in before if _SIZES[0] < hand_width_px(one) / width_px < _SIZES[1]]
        self._near = bool(found)
        if before:
            self._hands, self._seen_s = [_steadied(one, self._hands) for one in before], at_s
        elif found or self._still or abs(at_s - self._seen_s) > _HOLD_S:
            self._hands = []

    def _find_surely(self, crop_rgb: ImageU8, box: Box) -> list[Floats]:
        """Return the hands in a crop on which both models agree: each mistakes a neck or a face now and then."""
        found = self._find(crop_rgb, box)
        others = self._find(crop_rgb, box, small=True) if found else []
        return [one for one in found if any(_is_same(one, other) for other in others)]

    def _find(self, crop_rgb: ImageU8, box: Box, *, small: bool = False) -> list[Floats]:
        """Return the hands in a crop, (21, 3) each; see `Face.hands`. The large model follows hands between calls."""
        if small not in self._models:
            with loading("the hand model"):
                from mediapipe.python.solutions.hands import Hands

                self._models[small] = Hands(
                    static_image_mode=self._still or small,
                    max_num_hands=2,
                    model_complexity=int(not small),
                    min_detection_confidence=_MIN_CONFIDENCE[small],
                )
        width, height = box[2] - box[0], box[3] - box[1]
        scale, origin = np.array((width, height, width), np.float32), np.array((*box[:2], 0), np.float32)
        hands = self._models[small].process(crop_rgb).multi_hand_landmarks or ()
        return [
            np.array([(point.x, point.y, point.z) for point in hand.landmark], np.float32) * scale + origin
            for hand in hands
        ]


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


def _is_before(hand: Floats, face: Face) -> bool:
    """Whether a point of a hand is before a face, or near its outline."""
    outline = np.asarray(face.landmarks_xy[FACE_OVAL], np.float32)
    reach_px = _REACH * _height_px(face)
    return any(cv2.pointPolygonTest(outline, (float(x), float(y)), True) > -reach_px for x, y, _ in hand)


def _is_same(one: Floats, other: Floats) -> bool:
    """Whether two models found the same hand."""
    return float(np.linalg.norm((one - other)[:, :2], axis=1).mean()) < _AGREEMENT * hand_width_px(one)


def _steadied(hand: Floats, last: Sequence[Floats]) -> Floats:
    """Return a hand, smoothed by the nearest of the last frame: the smaller the move of a point, the more."""
    width_px = hand_width_px(hand)
    nearest = min(last, key=lambda one: float(np.abs(one - hand).mean()), default=None)
    if nearest is None:
        return hand
    moved = np.linalg.norm((hand - nearest)[:, :2], axis=1, keepdims=True) / width_px
    weight = (moved / _STILL).clip(_WEIGHT, 1)
    return np.asarray(nearest + weight * (hand - nearest), np.float32)
