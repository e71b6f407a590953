"""Hands before faces: MediaPipe's hand landmarks in a crop around the largest face."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Literal

import cv2
import numpy as np

from engines.regions.hand_shapes import hand_width_px
from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Face, Floats, Frame, ImageU8
from live.tracking.mesh_model import loading

_LIVE_INTERVAL_S, _FILM_INTERVAL_S = 0.3, 0.1  # between two searches
_NEAR_INTERVAL_S = 0.15  # live, while a hand is in the crop but not before a face
_HOLD_S = 0.1  # a hand that is not found is kept for so long
_AROUND = 1.6  # of the face's height, from its centre to each side of the crop
_MAX_SIDE_PX = 480  # larger crops are reduced
_REACH = 0.2  # of the face's height around its outline: hands there belong to the face
_MIN_CONFIDENCE = {"search": 0.6, "confirm": 0.5, "one": 0.5, "two": 0.5}
_AGREEMENT, _FOLLOWED = 0.5, 1.5  # mean distance of landmarks, in palm widths: of both models, and of two frames
_SIZES = 0.28, 2.0  # widths of palms, in face widths; others are mistakes
_STILL, _WEIGHT = 0.06, 0.35  # move in palm widths that is followed at once, and weight of the smallest moves


_Model = Literal["search", "confirm", "one", "two"]  # two to search, and two that follow hands from frame to frame
Box = tuple[int, int, int, int]
"""left, top, right, bottom, in pixels."""


class HandFinder:
    """Finds the hands before the faces of consecutive frames. All calls must come from one thread.

    Hands are seldom before a face. A search in intervals finds them, and they are followed on every frame until they
    leave the face: at most two hands, near the largest face. To follow one hand takes 7 ms, a search 25 ms.

    Args:
        still: The frames are unrelated pictures: each is searched.
        live: Search in a thread of its own, so that no frame waits; otherwise in the calling thread.
    """

    def __init__(self, *, still: bool = False, live: bool = False) -> None:
        self._still, self._live = still, live
        self._models: dict[_Model, Any] = {}
        self._thread: ThreadPoolExecutor | None = None
        self._search: Future[list[Floats]] | None = None
        self._hands: list[Floats] = []  # before a face, on the last frame
        self._near = False  # whether the last search found a hand
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
        found = self._searched(frame, box, faces)
        if found is not None and (self._still or len(found) > len(self._hands)):
            self._hands, self._seen_s = found, frame.time_s
        if self._hands and not self._still:
            self._follow(frame, box, faces)
        return tuple(replace(face, hands=tuple(_before(self._hands, [face]))) for face in faces)

    def close(self) -> None:
        """Release the models; idempotent."""
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        for model in self._models.values():
            model.close()
        self._models = {}

    def _searched(self, frame: Frame, box: Box, faces: Sequence[Face]) -> list[Floats] | None:
        """Return what a search found that has ended; None if there is none. Begin the next one if it is due."""
        found = None
        if self._search is not None:
            if not self._search.done():
                return None
            found, self._search = self._search.result(), None
        interval_s = _LIVE_INTERVAL_S if self._live or self._hands else _FILM_INTERVAL_S
        if self._live and self._near and not self._hands:
            interval_s = _NEAR_INTERVAL_S
        if self._still or abs(frame.time_s - self._searched_s) >= interval_s:
            self._searched_s, crop_rgb = frame.time_s, _crop_rgb(frame.bgr, box)
            if not self._live:
                return self._find_surely(crop_rgb, box, faces)
            self._thread = self._thread or ThreadPoolExecutor(1, "hands")
            self._search = self._thread.submit(self._find_surely, crop_rgb, box, faces)
        return found

    def _follow(self, frame: Frame, box: Box, faces: Sequence[Face]) -> None:
        """Find the hands of the last frame on this one; lost ones are held for a moment."""
        model: _Model = "one" if len(self._hands) == 1 else "two"
        found = self._find(model, _crop_rgb(frame.bgr, box), box)
        before = [one for one in _before(found, faces) if any(_is_same(one, last, _FOLLOWED) for last in self._hands)]
        if before:
            self._hands, self._seen_s = [_steadied(one, self._hands) for one in before], frame.time_s
        elif abs(frame.time_s - self._seen_s) > _HOLD_S:
            self._hands = []

    def _find_surely(self, crop_rgb: ImageU8, box: Box, faces: Sequence[Face]) -> list[Floats]:
        """Return the hands before faces on which both models agree: each mistakes a neck or a face now and then."""
        near = self._find("search", crop_rgb, box)
        if self._live:  # loaded here, so that no frame waits for it
            self._load("one")
        self._near, found = bool(near), _before(near, faces)
        others = self._find("confirm", crop_rgb, box) if found else []
        return [one for one in found if any(_is_same(one, other, _AGREEMENT) for other in others)]

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


def _before(hands: Sequence[Floats], faces: Sequence[Face]) -> list[Floats]:
    """Return the hands of a plausible size with a point before one of the faces, or near its outline."""
    found = []
    for hand in hands:
        for face in faces:
            outline, height_px = np.asarray(face.landmarks_xy[FACE_OVAL], np.float32), _height_px(face)
            away_px = (-cv2.pointPolygonTest(outline, (float(x), float(y)), True) for x, y, _ in hand)
            size = hand_width_px(hand) / max(float(np.ptp(outline[:, 0])), 1.0)
            if _SIZES[0] < size < _SIZES[1] and any(away < _REACH * height_px for away in away_px):
                found.append(hand)
                break
    return found


def _is_same(one: Floats, other: Floats, most: float) -> bool:
    """Whether the landmarks of two hands are near each other: their mean distance in palm widths is at most `most`."""
    return float(np.linalg.norm((one - other)[:, :2], axis=1).mean()) < most * hand_width_px(one)


def _steadied(hand: Floats, last: Sequence[Floats]) -> Floats:
    """Return a hand, smoothed by the nearest of the last frame: the smaller the move of a point, the more."""
    width_px = hand_width_px(hand)
    nearest = min(last, key=lambda one: float(np.abs(one - hand).mean()), default=None)
    if nearest is None:
        return hand
    moved = np.linalg.norm((hand - nearest)[:, :2], axis=1, keepdims=True) / width_px
    weight = (moved / _STILL).clip(_WEIGHT, 1)
    return np.asarray(nearest + weight * (hand - nearest), np.float32)
