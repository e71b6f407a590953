"""Square views of a frame, and what they show in the map of its persons.

The map is (h, w) uint8, 0..255: where the frame shows persons, reduced.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from cv2.typing import MatLike

from live.pipeline.frame import ImageU8
from live.tracking.far_faces import MAX_ASPECT, MIN_SIDE_PX

_MIN_SEEN = 0.5  # of a tracked face's head or chest; usually it is at least 0.65 of the head
_EXPLAINED = 166  # of the whole frame's map: what is below is drawn faintly
_UNSURE = 64  # of that map: more is drawn beside a person
_BODY_RIM_PX = 15  # in the map: clothes and hair reach half of it beyond the head and chest that a face implies
_EXPLAINED_PX, _MIN_WIDTH_PX, _MIN_AREA_PX = 5, 5, 40  # in the map: see `new_persons`
_MIN_MEAN = 0.85 * 255  # of the mask in a person: real ones have at least 0.86, furniture at most 0.8
_HALF_VIEW = 3.0  # side of a mirrored view in the larger side of what it shows
_MAX_CUT = 0.3  # part of a view's border that a component may end at
_HEAD_AXES = (0.62, 0.8)  # half axes of a head in sizes of its face
_HEAD_UP = 0.12  # how far its centre lies above the face's
_CHEST_AXES, _CHEST_DOWN = (1.3, 1.1), 1.35  # of chest and shoulders, likewise, and how far below the face

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


def half_boxes(part: ImageU8, frame_wh: tuple[int, int]) -> list[tuple[str, Box]]:
    """Return views in which a component becomes the half of something symmetric: mirrored at its left or right end.

    Half a head behind a board or a door is hardly recognised; mirrored it is a whole one.

    Args:
        part: (h, w) uint8 in the map: 1 in the component.
        frame_wh: The frame's size.
    """
    x, y, across, down = cv2.boundingRect(part)
    scale_x, scale_y = frame_wh[0] / part.shape[1], frame_wh[1] / part.shape[0]
    side = _HALF_VIEW * max(2 * across * scale_x, down * scale_y)
    half = round(max(MIN_SIDE_PX, min(side, min(frame_wh))) / 2)
    top = round(min(max(0.0, (y + down / 2) * scale_y - half), frame_wh[1] - 2 * half))
    ends = ("right", round(x * scale_x)), ("left", round((x + across) * scale_x))
    return [(kind, (at - half, top, at + half, top + 2 * half)) for kind, at in ends if 0 < at < frame_wh[0]]


def columns_shown(kind: str, box: Box, width: int) -> tuple[int, int]:
    """Return which columns of the frame a view shows; beyond them it is mirrored."""
    middle = (box[0] + box[2]) // 2
    return (middle if kind == "right" else 0), (middle if kind == "left" else width)


def cut(frame_bgr: ImageU8, box: Box, scale: float, columns: tuple[int, int]) -> ImageU8:
    """Return a view of the frame, which is reduced by the scale; beyond the frame and the columns it is mirrored."""
    left, top, right, bottom = (round(edge * scale) for edge in box)
    first, last = (round(column * scale) for column in columns)
    height = frame_bgr.shape[0]
    inside = frame_bgr[max(0, top) : min(height, bottom), max(first, left) : min(last, right)]
    rim = max(0, -top), max(0, bottom - height), max(0, first - left), max(0, right - last)
    return cv2.copyMakeBorder(inside, *rim, cv2.BORDER_REFLECT) if any(rim) else inside  # type: ignore[return-value]


def into_map(mask: ImageU8, box: Box, frame_wh: tuple[int, int], whole: ImageU8, columns: tuple[int, int]) -> ImageU8:
    """Put a view's mask, without what was mirrored, at its place in the map of the whole frame."""
    scale_x, scale_y = whole.shape[1] / frame_wh[0], whole.shape[0] / frame_wh[1]
    step_x = (box[2] - box[0]) / mask.shape[1] * scale_x
    step_y = (box[3] - box[1]) / mask.shape[0] * scale_y
    matrix = np.array(
        [
            [step_x, 0, box[0] * scale_x + 0.5 * step_x - 0.5],
            [0, step_y, box[1] * scale_y + 0.5 * step_y - 0.5],
        ]
    )
    seen = cv2.warpAffine(mask, matrix, (whole.shape[1], whole.shape[0]), flags=cv2.INTER_LINEAR)
    seen[:, : round(columns[0] * scale_x)] = 0
    seen[:, round(columns[1] * scale_x) :] = 0
    return seen  # type: ignore[return-value]


def new_persons(
    seen: ImageU8, whole: ImageU8, heads: ImageU8, is_cut: Callable[[ImageU8], bool]
) -> tuple[ImageU8, list[ImageU8]]:
    """Return the persons on a view's map that the whole frame's map does not show, and components that may be some.

    The outlines of a person differ slightly between views: slivers beside a person that is already known are left out.
    So is, unless it has a head, what the model is unsure of, which is furniture, and what a view's border cuts through,
    which a person would not end at: the neighbouring view has it in the middle.
    """
    near = cv2.dilate(cv2.threshold(whole, _EXPLAINED, 255, cv2.THRESH_BINARY)[1], _disc(_EXPLAINED_PX))
    persons = np.zeros_like(whole)
    for part in _components(
        cv2.bitwise_and(cv2.threshold(seen, 127, 255, cv2.THRESH_BINARY)[1], cv2.bitwise_not(near))
    ):
        is_sure = cv2.mean(seen, part)[0] >= _MIN_MEAN and not is_cut(part)
        if is_sure or cv2.mean(heads, part)[0] > 0:
            cv2.max(persons, cv2.dilate(part, _disc(_EXPLAINED_PX + _MIN_WIDTH_PX)), dst=persons)
    known = cv2.bitwise_or(near, cv2.threshold(persons, 0, 255, cv2.THRESH_BINARY)[1])
    likely = cv2.bitwise_and(cv2.threshold(seen, _UNSURE, 255, cv2.THRESH_BINARY)[1], cv2.bitwise_not(known))
    return cv2.multiply(seen, persons), [part for part in _components(likely) if not is_cut(part)]  # type: ignore[return-value]


def _components(mask: MatLike) -> list[ImageU8]:
    """Return the components of a mask that are not slivers, each (h, w) uint8: 1 in the component."""
    core = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(_MIN_WIDTH_PX))
    if not cv2.countNonZero(core):
        return []
    count, labels, stats, _ = cv2.connectedComponentsWithStats(core)
    large = (label for label in range(1, count) if stats[label, cv2.CC_STAT_AREA] >= _MIN_AREA_PX)
    return [(labels == label).astype(np.uint8) for label in large]


def with_unsure_parts(shown: ImageU8, bodies: ImageU8) -> ImageU8:
    """Return the map of persons with the parts of them of which the model is unsure: clothes like the wall, and hair.

    Such a part is wider than an outline is soft, touches what certainly is a person, and lies where a face implies a
    head and a chest. Others are furniture.

    Args:
        shown: The map.
        bodies: (h, w) uint8: heads and chests, not 0 there.
    """
    sure = cv2.threshold(shown, _EXPLAINED, 255, cv2.THRESH_BINARY)[1]
    likely = cv2.threshold(shown, _UNSURE, 255, cv2.THRESH_BINARY)[1]
    beside = cv2.bitwise_and(likely, cv2.bitwise_not(cv2.dilate(sure, _disc(_EXPLAINED_PX))))
    parts = np.zeros_like(shown)
    for part in _components(beside):
        wide = cv2.dilate(part, _disc(2 * _EXPLAINED_PX + 1))
        if cv2.countNonZero(cv2.bitwise_and(wide, sure)):
            cv2.bitwise_or(parts, wide, dst=parts)
    inside = cv2.bitwise_and(cv2.multiply(likely, parts), cv2.dilate(bodies, _disc(_BODY_RIM_PX)))
    return cv2.max(shown, inside)  # type: ignore[return-value]


def with_heads(whole: ImageU8, persons: ImageU8, heads: ImageU8) -> ImageU8:
    """Return the map of the whole frame with those persons, seen in views, which have a head.

    Furniture that a view shows as a person is drawn, because it may be one, but an outline would make it conspicuous.

    Args:
        whole: (h, w) uint8, likewise the others: the map of the whole frame.
        persons: The map of all views.
        heads: Heads, not 0 there.
    """
    near = cv2.dilate(cv2.threshold(whole, _EXPLAINED, 255, cv2.THRESH_BINARY)[1], _disc(_EXPLAINED_PX))
    others = cv2.bitwise_and(cv2.threshold(persons, 127, 255, cv2.THRESH_BINARY)[1], cv2.bitwise_not(near))
    shown = whole.copy()
    for part in _components(others):
        if cv2.mean(heads, part)[0] > 0:
            wide = cv2.dilate(part, _disc(_EXPLAINED_PX + _MIN_WIDTH_PX))
            cv2.max(shown, cv2.multiply(persons, wide), dst=shown)
    return shown


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
    _add_ellipse(shown, (centre_xy[0], centre_xy[1] - _HEAD_UP * size), _HEAD_AXES, size, frame_wh)


def add_chest(shown: ImageU8, centre_xy: tuple[float, float], size: float, frame_wh: tuple[int, int]) -> None:
    """Draw the chest and the shoulders below a face into the map, in place; arguments as of `add_head`."""
    _add_ellipse(shown, (centre_xy[0], centre_xy[1] + _CHEST_DOWN * size), _CHEST_AXES, size, frame_wh)


def _add_ellipse(
    shown: ImageU8, at_xy: tuple[float, float], half_axes: tuple[float, float], size: float, frame_wh: tuple[int, int]
) -> None:
    scale = shown.shape[1] / frame_wh[0], shown.shape[0] / frame_wh[1]
    centre = at_xy[0] * scale[0], at_xy[1] * scale[1]
    axes = half_axes[0] * size * scale[0], half_axes[1] * size * scale[1]
    if all(abs(value) < 1e4 for value in (*centre, *axes)):  # not with NaN
        sixteenths = [tuple(round(16 * value) for value in pair) for pair in (centre, axes)]
        cv2.ellipse(shown, *sixteenths, 0, 0, 360, (255,), -1, cv2.LINE_AA, 4)  # type: ignore[call-overload]


def is_long(frame_bgr: ImageU8) -> bool:
    """Whether a frame is so wide or tall that it is not segmented as a whole."""
    return max(frame_bgr.shape[:2]) > MAX_ASPECT * min(frame_bgr.shape[:2])


def is_missed(part: ImageU8, whole: ImageU8) -> bool:
    """Whether the whole frame's map shows less than half of a head or chest."""
    known = cv2.bitwise_and(cv2.threshold(whole, 127, 255, cv2.THRESH_BINARY)[1], part)
    return cv2.countNonZero(known) < _MIN_SEEN * cv2.countNonZero(part)
