"""Hands before a face: they hide what is drawn below them, and their fingers get contours."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.features import ink_over
from engines.drawing.medium import Medium
from engines.drawing.mixing import mixed
from engines.drawing.outlines import as_line, nearness
from engines.drawing.strokes import Points, disc
from engines.regions.hand_shapes import FINGERS, PALM, Hand, draw_finger, draw_palm, finger_px, hand_width_px
from engines.regions.upright import FACE_OVAL

ImageU8 = NDArray[np.uint8]
_Box = tuple[int, int, int, int]

_SIDE_PX = 144  # a hand is computed at this size at most
_LINE, _OPACITY = 0.015, 0.8  # width as a part of the face's size, and coverage of the contours
_MIN_REACH_PX = 2.5  # of a small contour: distances to it are enlarged
_OPEN, _WRIST = 0.62, 0.5  # radii without a contour around a finger's base, in finger widths, and the wrist, in palms'
_BEYOND, _FADE = 0.40, 0.13  # of the face's size: contours end there beyond its outline, and fade twice as far
_ON_PERSON = np.rint(255 * ((np.arange(256) / 255 - 0.75) / 0.2).clip(0, 1)).astype(np.uint8)  # by the person mask


def draw_hands(
    picture_bgr: ImageU8,
    without_features_bgr: ImageU8,
    hands: Sequence[Hand],
    landmarks_xy: Points,
    face_px: float,
    medium: Medium,
    *,
    person: ImageU8 | None = None,
) -> None:
    """Draw the hands before a face on a picture, in place: brows, eyes, nose and mouth below them disappear.

    Args:
        picture_bgr: (H, W, 3) uint8, with features.
        without_features_bgr: The same picture without them.
        hands: In pixels of the picture.
        landmarks_xy: (478, 2) float pixels of the picture, of the face below.
        face_px: Size of the face; see `DrawnFace`.
        medium: `line` scales the width of the contours.
        person: (h, w) uint8 at any size, 255 where the picture certainly shows a person: contours are drawn there.
    """
    height, width = picture_bgr.shape[:2]
    for hand in hands:
        box = _box(hand)
        inside = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
        if inside[0] >= inside[2] or inside[1] >= inside[3]:
            continue
        scale, line_px = min(1.0, _SIDE_PX / max(box[2] - box[0], box[3] - box[1])), medium.line * _LINE * face_px
        reach_px = max(line_px, _MIN_REACH_PX / scale)
        origin, factor = np.array((*box[:2], 0), np.float32), np.float32(scale)
        size_wh = max(1, round((box[2] - box[0]) * scale)), max(1, round((box[3] - box[1]) * scale))
        small_covered, small_near = _shapes((hand - origin) * factor, size_wh, reach_px * scale)
        shown = _near_face((landmarks_xy[FACE_OVAL] - origin[:2]) * scale, size_wh, face_px * scale)
        if person is not None:
            cv2.min(shown, _on_person(person, box, (width, height), size_wh), dst=shown)
        covered, near, shown = (_enlarged(one, box, inside) for one in (small_covered, small_near, shown))
        there = slice(inside[1], inside[3]), slice(inside[0], inside[2])
        picture_bgr[there] = mixed(picture_bgr[there], without_features_bgr[there], covered)
        as_line(near, line_px, reach_px, _OPACITY)
        ink_over(picture_bgr[there], cv2.min(near, shown, dst=near), medium)  # type: ignore[arg-type]


def _box(hand: Hand) -> _Box:
    """Return the box around a hand and its contours; an empty one if the hand is not finite."""
    if not np.isfinite(hand).all():
        return 0, 0, 0, 0
    margin = 0.6 * hand_width_px(hand)
    low, high = np.floor(hand[:, :2].min(0) - margin), np.ceil(hand[:, :2].max(0) + margin)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _shapes(hand: Hand, size_wh: tuple[int, int], reach_px: float) -> tuple[ImageU8, ImageU8]:
    """Return where a hand is, and how near each pixel is to one of its contours; see `nearness`. (H, W) uint8 each.

    Palm and fingers are laid over one another from the farthest to the nearest.
    """
    width_px, around = hand_width_px(hand), np.full(size_wh[::-1], 255, np.uint8)
    palm = np.zeros_like(around)
    draw_palm(palm, hand, width_px)
    disc(around, hand[0, :2], _WRIST * width_px, (0,))  # no contour towards the arm
    parts = [(float(hand[PALM, 2].mean()), palm, around)]  # depth, shape, and 255 where it may have a contour
    for finger in FINGERS:
        shape, opened = np.zeros_like(palm), np.full_like(palm, 255)
        draw_finger(shape, hand, finger, width_px)
        disc(opened, hand[finger[0], :2], _OPEN * finger_px(finger, width_px), (0,))
        x, y = hand[finger[1], :2].clip(0, np.array(size_wh) - 1).astype(int)
        if not palm[y, x]:  # an extended finger: there is no knuckle between it and the palm
            cv2.min(around, opened, dst=around)
        parts.append((float(hand[finger[1:], 2].mean()), shape, opened))
    covered = near = np.zeros(palm.shape, np.float32)
    for _, shape, opened in sorted(parts, key=lambda part: -part[0]):
        level = shape.astype(np.float32) / np.float32(255)
        border = nearness(level, reach_px, 0.8, level=0.5, min_slope=0.01) * (opened / np.float32(255))
        covered, near = np.maximum(covered, level), np.maximum(near * (1 - level), border)
    return np.rint(255 * covered).astype(np.uint8), np.rint(255 * near).astype(np.uint8)


def _enlarged(small: ImageU8, box: _Box, inside: _Box) -> ImageU8:
    """Return a picture of a box at its size, without what is outside of a part of it."""
    whole = cv2.resize(small, (box[2] - box[0], box[3] - box[1]), interpolation=cv2.INTER_CUBIC)
    rows, columns = slice(inside[1] - box[1], inside[3] - box[1]), slice(inside[0] - box[0], inside[2] - box[0])
    return np.ascontiguousarray(whole[rows, columns])


def _near_face(outline_xy: Points, size_wh: tuple[int, int], face_px: float) -> ImageU8:
    """Return where contours are drawn, (H, W) uint8: not far outside of the face's outline, before the body."""
    shown, outline = np.zeros(size_wh[::-1], np.uint8), np.rint((outline_xy - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(shown, [outline], (255,), cv2.LINE_AA, 4)
    cv2.polylines(shown, [outline], True, (255,), 2 * round(_BEYOND * face_px) + 1, cv2.LINE_AA, 4)
    window = (2 * round(_FADE * face_px) + 1,) * 2
    return np.asarray(cv2.blur(cv2.blur(shown, window), window), np.uint8)


def _on_person(person: ImageU8, box: _Box, picture_wh: tuple[int, int], size_wh: tuple[int, int]) -> ImageU8:
    """Return where a box of the picture shows a person, (H, W) uint8: 0 beyond the picture."""
    across, down = person.shape[1] / picture_wh[0], person.shape[0] / picture_wh[1]
    wide, high = (box[2] - box[0]) * across / size_wh[0], (box[3] - box[1]) * down / size_wh[1]
    x, y = (at * factor + 0.5 * step - 0.5 for at, factor, step in zip(box, (across, down), (wide, high), strict=False))
    matrix = np.array([[wide, 0, x], [0, high, y]])
    return cv2.LUT(cv2.warpAffine(person, matrix, size_wh, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), _ON_PERSON)  # type: ignore[return-value]
