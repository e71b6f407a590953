"""All persons on a frame: the segmentation of the whole frame, of square views of it, and the heads that are detected.

The selfie segmenter finds the person in the middle, and misses half a head at the frame's edge, people far behind, and
people on very wide frames. Square views show them larger, undistorted and in the middle; beyond the frame a view
repeats it mirrored, which makes half a head a whole one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from live.pipeline.frame import Face, Floats, ImageU8
from live.tracking.far_faces import MIN_SIDE_PX, new_detector
from live.tracking.person_segmenter import PersonSegmenter

_VIEW_INTERVAL_S = 0.08  # live: between two views, which take about 2 ms each
_FADE_S = 1.2  # a person that is not seen again fades with this time constant
_FADE_INTERVAL_S = 0.05  # in smaller steps rounding would stop it
_MIN_CONFIDENCE = 0.4  # of a detected head
_SAME_HEAD = 0.5  # of the larger head's size: heads closer than this are the same
_MAX_ASPECT = 2.4  # of frames that the segmenter sees as a whole; others are seen in views only
_LONG_SIDE_PX = 512  # of the map of such frames
_EXPLAINED_PX, _MIN_WIDTH_PX, _MIN_AREA_PX = 5, 5, 40  # in the map: see `_new_persons`
_HEAD_AXES = (0.62, 0.8)  # half axes of a head in sizes of its face
_HEAD_UP = 0.12  # how far its centre lies above the face's

Box = tuple[int, int, int, int]
"""left, top, right, bottom in frame pixels; it may extend beyond the frame."""


class PersonFinder:
    """Finds the persons on consecutive frames. All calls must come from one thread.

    Args:
        still: The frames are unrelated pictures: every view of each is searched, without any memory.
        every_view: Search every view of each frame (films). Otherwise one view at a time, and a person stays in the map
            until its view was searched again.
    """

    def __init__(self, *, still: bool = False, every_view: bool = False) -> None:
        self._still, self._every_view = still, still or every_view
        self._segmenter = PersonSegmenter(still=still)
        self._views = PersonSegmenter(still=True)
        self._detector: Any = None
        self._frame_wh = (0, 0)
        self._pending: Iterator[tuple[str, Box]] = iter(())
        self._seen: dict[tuple[str, Box | int], ImageU8] = {}  # maps of what a view or a tracked face has shown
        self._searched_s = self._faded_s = float("-inf")
        self.untracked_heads = False  # whether a head was detected where no face is tracked

    def mask(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the segmentation of the whole frame alone; see `PersonSegmenter.mask`."""
        return self._segmenter.mask(frame_bgr)

    def persons(self, frame_bgr: ImageU8, faces: Sequence[Face], at_s: float) -> ImageU8:
        """Return where the frame shows persons.

        Args:
            frame_bgr: (H, W, 3) uint8 BGR.
            faces: The tracked faces on this frame.
            at_s: The frame's time in seconds.

        Returns:
            (h, w) uint8, 0..255; see `TrackedFrame.person`. It has the size of `PersonSegmenter.mask`, except for very
            wide or tall frames.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its models.
        """
        height, width = frame_bgr.shape[:2]
        if min(width, height) < MIN_SIDE_PX:
            return self._segmenter.mask(frame_bgr)
        if self._still or (width, height) != self._frame_wh:
            self._frame_wh, self._seen, self._pending = (width, height), {}, iter(())
        whole = self._whole(frame_bgr)
        self._fade(at_s)
        if self._every_view:
            self.untracked_heads = False
            for kind, box in _views(self._frame_wh):
                self._search(kind, box, frame_bgr, whole, faces)
        elif abs(at_s - self._searched_s) >= _VIEW_INTERVAL_S:
            self._searched_s = at_s
            self._search(*self._next_view(), frame_bgr, whole, faces)
        persons, tracked = whole, {("face", face.face_id) for face in faces}
        for key, shown in self._seen.items():
            if key not in tracked:
                persons = cv2.max(persons, shown)  # type: ignore[assignment]
        self._remember_faces(faces, whole)
        return persons

    def close(self) -> None:
        """Release the models; idempotent."""
        self._segmenter.close()
        self._views.close()
        if self._detector is not None:
            self._detector.close()
        self._detector = None

    def _whole(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the map from the whole frame."""
        width, height = self._frame_wh
        if max(width, height) <= _MAX_ASPECT * min(width, height):
            return self._segmenter.mask(frame_bgr)
        scale = _LONG_SIDE_PX / max(width, height)
        return np.zeros((max(8, round(height * scale)), max(8, round(width * scale))), np.uint8)

    def _next_view(self) -> tuple[str, Box]:
        view = next(self._pending, None)
        if view is None:
            self._pending = iter(_views(self._frame_wh))
            view = next(self._pending)
        return view

    def _fade(self, at_s: float) -> None:
        """Let everything that was seen fade, and forget what has faded."""
        elapsed_s = abs(at_s - self._faded_s)
        if elapsed_s < _FADE_INTERVAL_S:
            return
        self._faded_s = at_s
        kept = math.exp(-min(elapsed_s, 60.0) / _FADE_S)
        faded = {key: cv2.convertScaleAbs(shown, alpha=kept) for key, shown in self._seen.items()}
        self._seen = {key: shown for key, shown in faded.items() if shown.max() >= 64}  # type: ignore[misc]

    def _search(self, kind: str, box: Box, frame_bgr: ImageU8, whole: ImageU8, faces: Sequence[Face]) -> None:
        """Search one view, and remember what it shows."""
        view_bgr = _cut(frame_bgr, box)
        if kind == "person":
            shown = _new_persons(_into_map(self._views.mask(view_bgr), box, self._frame_wh, whole), whole)
        else:
            shown = self._heads(view_bgr, box, whole, faces)
        if shown.any():
            before = self._seen.get((kind, box))
            self._seen[kind, box] = shown if before is None else cv2.max(shown, before)  # type: ignore[assignment]

    def _heads(self, view_bgr: ImageU8, box: Box, whole: ImageU8, faces: Sequence[Face]) -> ImageU8:
        """Return the map of the heads in a view that are not those of tracked faces."""
        self._detector = self._detector or new_detector(view_bgr[:, :, ::-1].copy(), _MIN_CONFIDENCE)
        shown, tracked = np.zeros_like(whole), [_centre_and_size(face.landmarks_xy) for face in faces]
        height, width = view_bgr.shape[:2]
        found = self._detector.process(cv2.cvtColor(view_bgr, cv2.COLOR_BGR2RGB)).detections or ()
        for detection in found:
            relative = detection.location_data.relative_bounding_box
            size = max(relative.width * width, relative.height * height)
            x = box[0] + (relative.xmin + relative.width / 2) * width
            y = box[1] + (relative.ymin + relative.height / 2) * height
            if not any(math.hypot(x - at[0], y - at[1]) < _SAME_HEAD * max(size, other) for at, other in tracked):
                _add_head(shown, (x, y), size, self._frame_wh)
        self.untracked_heads |= bool(shown.any())
        return shown

    def _remember_faces(self, faces: Sequence[Face], whole: ImageU8) -> None:
        """Remember the tracked faces: once one is lost, its head stays in the map for a moment."""
        if self._still:
            return
        for face in faces:
            centre, size = _centre_and_size(face.landmarks_xy)
            if math.isfinite(centre[0] + centre[1] + size) and size > 0:
                shown = np.zeros_like(whole)
                _add_head(shown, centre, size, self._frame_wh)
                self._seen["face", face.face_id] = shown


def _views(frame_wh: tuple[int, int]) -> list[tuple[str, Box]]:
    """Return the views to search, alternating between persons and heads.

    Squares with the frame's shorter side, in steps of at most half of it; the first and the last one are centred on the
    frame's edges. Heads are also searched on the whole frame unless it is very wide or tall.
    """
    width, height = frame_wh
    side, length = min(frame_wh), max(frame_wh)
    count = math.ceil(2 * length / side)
    boxes: list[Box] = []
    for number in range(count + 1):
        start = round(number * length / count) - side // 2
        boxes.append((start, 0, start + side, side) if width >= height else (0, start, side, start + side))
    wide = length > _MAX_ASPECT * side
    head_boxes = boxes if wide else [boxes[0], (0, 0, width, height), boxes[-1]]
    persons, heads = [("person", box) for box in boxes], [("head", box) for box in head_boxes]
    step = len(persons) / len(heads)
    order = [(index, view) for index, view in enumerate(persons)]
    order += [((index + 0.5) * step, view) for index, view in enumerate(heads)]  # type: ignore[misc]
    return [view for _, view in sorted(order, key=lambda item: item[0])]


def _cut(frame_bgr: ImageU8, box: Box) -> ImageU8:
    """Return a view of the frame, (side, side, 3) uint8; beyond the frame it is mirrored."""
    left, top, right, bottom = box
    height, width = frame_bgr.shape[:2]
    inside = frame_bgr[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    rim = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    return cv2.copyMakeBorder(inside, *rim, cv2.BORDER_REFLECT) if any(rim) else inside  # type: ignore[return-value]


def _into_map(mask: ImageU8, box: Box, frame_wh: tuple[int, int], whole: ImageU8) -> ImageU8:
    """Put a view's mask at its place in the map of the whole frame."""
    scale_x, scale_y = whole.shape[1] / frame_wh[0], whole.shape[0] / frame_wh[1]
    step_x = (box[2] - box[0]) / mask.shape[1] * scale_x
    step_y = (box[3] - box[1]) / mask.shape[0] * scale_y
    matrix = np.array(
        [
            [step_x, 0, box[0] * scale_x + 0.5 * step_x - 0.5],
            [0, step_y, box[1] * scale_y + 0.5 * step_y - 0.5],
        ]
    )
    return cv2.warpAffine(mask, matrix, (whole.shape[1], whole.shape[0]), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]


def _new_persons(seen: ImageU8, whole: ImageU8) -> ImageU8:
    """Return the part of a view's map that the whole frame's map does not explain.

    The outlines of a person differ slightly between views. Such slivers beside a person that is already known, and very
    small patches, are left out.
    """
    near = cv2.dilate(cv2.threshold(whole, 127, 255, cv2.THRESH_BINARY)[1], _disc(_EXPLAINED_PX))
    new = cv2.bitwise_and(cv2.threshold(seen, 127, 255, cv2.THRESH_BINARY)[1], cv2.bitwise_not(near))
    core = cv2.morphologyEx(new, cv2.MORPH_OPEN, _disc(_MIN_WIDTH_PX))
    if cv2.countNonZero(core) < _MIN_AREA_PX:
        return np.zeros_like(whole)
    return cv2.bitwise_and(seen, cv2.dilate(core, _disc(_EXPLAINED_PX + _MIN_WIDTH_PX)))  # type: ignore[return-value]


def _disc(width_px: int) -> ImageU8:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))  # type: ignore[return-value]


def _add_head(shown: ImageU8, centre_xy: tuple[float, float], size: float, frame_wh: tuple[int, int]) -> None:
    """Draw a head into the map, in place.

    Args:
        shown: (h, w) uint8.
        centre_xy: Of the face, in frame pixels.
        size: The longer side of the face, in frame pixels.
        frame_wh: The frame's size.
    """
    scale = shown.shape[1] / frame_wh[0], shown.shape[0] / frame_wh[1]
    centre = centre_xy[0] * scale[0], (centre_xy[1] - _HEAD_UP * size) * scale[1]
    axes = _HEAD_AXES[0] * size * scale[0], _HEAD_AXES[1] * size * scale[1]
    if max(map(abs, (*centre, *axes))) < 1e4:
        sixteenths = [tuple(round(16 * value) for value in pair) for pair in (centre, axes)]
        cv2.ellipse(shown, *sixteenths, 0, 0, 360, (255,), -1, cv2.LINE_AA, 4)  # type: ignore[call-overload]


def _centre_and_size(landmarks_xy: Floats) -> tuple[tuple[float, float], float]:
    """Return the centre and the longer side of a face."""
    low, high = landmarks_xy.min(0), landmarks_xy.max(0)
    return (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2), float((high - low).max())
