"""Square views of a frame, and what they show in the map of its persons.

The map is (h, w) uint8, 0..255: where the frame shows persons, reduced.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np

from live.pipeline.frame import ImageU8
from live.tracking.far_faces import MIN_SIDE_PX

MAX_ASPECT = 2.4  # of frames that the segmenter sees as a whole; others are seen in views only
_EXPLAINED = 166  # of the whole frame's map: what is below is drawn faintly
_EXPLAINED_PX, _MIN_WIDTH_PX, _MIN_AREA_PX = 5, 5, 40  # in the map: see `new_persons`
_MIN_MEAN = 0.85 * 255  # of the mask in a person: real ones have at least 0.86, furniture at most 0.8
_MAX_CUT = 0.3  # part of a view's border that a component may end at
_HEAD_AXES = (0.62, 0.8)  # half axes of a head in sizes of its face
_HEAD_UP = 0.12  # how far its centre lies above the face's

Box = tuple[int, int, int, int]
"""left, top, right, bottom in frame pixels; it may extend beyond the frame."""


def views(frame_wh: tuple[int, int]) -> list[tuple[str, Box]]:
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
    wide = length > MAX_ASPECT * side
    head_boxes = boxes if wide else [boxes[0], (0, 0, width, height), boxes[-1]]
    persons, heads = [("person", box) for box in boxes], [("head", box) for box in head_boxes]
    step = len(persons) / len(heads)
    order = [(index, view) for index, view in enumerate(persons)]
    order += [((index + 0.5) * step, view) for index, view in enumerate(heads)]  # type: ignore[misc]
    return [view for _, view in sorted(order, key=lambda item: item[0])]


def body_box(centre_xy: tuple[float, float], size: float, frame_wh: tuple[int, int]) -> Box:
    """Return the square around a head and its shoulders, which overlaps the frame."""
    half = max(MIN_SIDE_PX / 2, min(2 * size, min(frame_wh) / 2))
    x, y = (min(max(0.0, at), float(length)) for at, length in zip(centre_xy, frame_wh, strict=True))
    top = y - 0.8 * half
    return round(x - half), round(top), round(x + half), round(top + 2 * half)


def cut(frame_bgr: ImageU8, box: Box, scale: float) -> ImageU8:
    """Return a view of the frame, which is reduced by the scale; beyond the frame it is mirrored."""
    left, top, right, bottom = (round(edge * scale) for edge in box)
    height, width = frame_bgr.shape[:2]
    inside = frame_bgr[max(0, top) : min(height, bottom), max(0, left) : min(width, right)]
    rim = max(0, -top), max(0, bottom - height), max(0, -left), max(0, right - width)
    return cv2.copyMakeBorder(inside, *rim, cv2.BORDER_REFLECT) if any(rim) else inside  # type: ignore[return-value]


def into_map(mask: ImageU8, box: Box, frame_wh: tuple[int, int], whole: ImageU8) -> ImageU8:
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


def new_persons(seen: ImageU8, whole: ImageU8, heads: ImageU8, is_cut: Callable[[ImageU8], bool]) -> ImageU8:
    """Return the persons on a view's map that the whole frame's map does not show.

    The outlines of a person differ slightly between views: slivers beside a person that is already known are left out.
    So is, unless it has a head, what the model is unsure of, which is furniture, and what a view's border cuts through,
    which a person would not end at: the neighbouring view has it in the middle.
    """
    near = cv2.dilate(cv2.threshold(whole, _EXPLAINED, 255, cv2.THRESH_BINARY)[1], _disc(_EXPLAINED_PX))
    new = cv2.bitwise_and(cv2.threshold(seen, 127, 255, cv2.THRESH_BINARY)[1], cv2.bitwise_not(near))
    core = cv2.morphologyEx(new, cv2.MORPH_OPEN, _disc(_MIN_WIDTH_PX))
    persons = np.zeros_like(whole)
    if not cv2.countNonZero(core):
        return persons
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core)
    for label in range(1, count):
        part = (labels == label).astype(np.uint8)
        is_sure = cv2.mean(seen, part)[0] >= _MIN_MEAN and not is_cut(part)
        if stats[label, cv2.CC_STAT_AREA] >= _MIN_AREA_PX and (is_sure or cv2.mean(heads, part)[0] > 0):
            cv2.max(persons, cv2.dilate(part, _disc(_EXPLAINED_PX + _MIN_WIDTH_PX)), dst=persons)
    return cv2.multiply(seen, persons)  # type: ignore[return-value]


def is_cut(part: ImageU8, box: Box, frame_wh: tuple[int, int]) -> bool:
    """Whether a component ends along a border of the view that lies inside the frame.

    Args:
        part: (h, w) uint8 in the map: 1 in the component.
        box: The view.
        frame_wh: The frame's size.
    """
    for axis in (0, 1):
        lines = part if axis == 1 else part.T
        scale = lines.shape[0] / frame_wh[axis]
        for edge, inwards in ((box[axis], 1), (box[axis + 2], -1)):
            at = round(edge * scale)
            beside = lines[max(0, at - 1 - (inwards < 0)) : at + 1 + (inwards > 0)]
            if 0 < edge < frame_wh[axis] and beside.size and beside.max(0).mean() > _MAX_CUT:
                return True
    return False


def _disc(width_px: int) -> ImageU8:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width_px, width_px))  # type: ignore[return-value]


def add_head(shown: ImageU8, centre_xy: tuple[float, float], size: float, frame_wh: tuple[int, int]) -> None:
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
