"""Brows, eyes, nostrils and mouth as shapes from the landmarks, at the frame's own resolution."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.face_measures import (
    BROWS,
    CREASES,
    IRISES,
    LOWER_LIP,
    MOUTH_CORNERS,
    NOSTRILS,
    UPPER_LIP,
    FaceMeasures,
)
from engines.drawing.medium import Medium, gains
from engines.drawing.mixing import mixed
from engines.drawing.smooth_step import smooth_step
from engines.drawing.strokes import Points, curve, disc, fill, strokes
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS
from engines.regions.workspace import Workspace

ImageU8 = NDArray[np.uint8]

# MediaPipe face mesh: the borders of the lips from corner to corner, and the wings of the nose.
_UPPER_BORDER = [61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291]
_LOWER_BORDER = [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291]
_WINGS = ([129, 64, 98], [358, 294, 327])
_JAW = [136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365]
_EDGES = (UPPER_LIP, LOWER_LIP)
_LIPS_OPACITY, _BROW_OPACITY = 0.7, 0.8
_THIN_PX = 1.5  # the least width that OpenCV fills: thinner lines, those of small faces, are fainter instead


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """A stroke of ink; see `strokes` for its width and taper. Its coverage is 0..1."""

    points_xy: Points
    width_px: float
    taper: tuple[float, float]
    coverage: float


def draw_features(picture_bgr: ImageU8, landmarks_xy: Points, measures: FaceMeasures, medium: Medium) -> None:
    """Draw brows, eyes, nostrils and mouth on a picture, in place.

    Args:
        picture_bgr: (H, W, 3) uint8.
        landmarks_xy: (478, 2) float pixels of the picture, face mesh order.
        measures: Of the same face.
        medium: See `Medium`; `line` scales the widths, `ink_bgr` colours the lines.
    """
    points_xy = np.asarray(landmarks_xy, np.float64)
    patch = _patch(picture_bgr, points_xy[[*BROWS[0], *BROWS[1], *_JAW]], 0.05)
    if patch is None:
        return
    part_bgr, origin = patch
    points, ink = points_xy - origin, np.zeros(part_bgr.shape[:2], np.uint8)
    for side in (0, 1):
        _draw_brow(ink, points, side, measures)
    lines: list[_Line] = []
    for side in (0, 1):
        lines += _draw_eye(part_bgr, points, side, measures, medium)
    lines += [_jaw(points, measures), *_nostrils(points, measures)]
    lines += _draw_mouth(part_bgr, points, measures, medium)
    lines = [line for line in lines if line.coverage > 0]
    if lines:
        widths = [line.width_px * medium.line for line in lines]
        rings = strokes([line.points_xy for line in lines], widths, [line.taper for line in lines])
        for ring, line, width_px in zip(rings, lines, widths, strict=True):
            fill(ink, ring, (255 * line.coverage * min(1.0, width_px / _THIN_PX),))
    ink_over(part_bgr, ink, medium)


def _draw_brow(ink: ImageU8, points: Points, side: int, measures: FaceMeasures) -> None:
    """Draw one brow as a shape that is as dark as the photo's."""
    patch = _patch(ink, points[BROWS[side]], 0.15)
    if patch is None:
        return
    part, origin = patch
    lower, upper = (points[BROWS[side]] - origin).reshape(2, 5, 2)
    fill(
        part, np.concatenate((curve(lower, 17), curve(upper, 17))), (255 * _BROW_OPACITY * float(measures.brow[side]),)
    )
    cv2.blur(part, (2 * round(0.05 * float(np.hypot(*(lower[0] - lower[-1])))) + 1,) * 2, dst=part)


def _draw_eye(
    picture_bgr: ImageU8, points_xy: Points, side: int, measures: FaceMeasures, medium: Medium
) -> list[_Line]:
    """Draw one eye: white, and iris in its own colour. Return its lashes, and a crease as strong as the photo's."""
    upper, lower = (curve(points_xy[lid[side]], 25) for lid in (UPPER_LIDS, LOWER_LIDS))
    width_px = max(float(np.hypot(*(upper[0] - upper[-1]))), 1.0)
    opening_px = float(np.hypot(*(points_xy[UPPER_LIDS[side][4]] - points_xy[LOWER_LIDS[side][4]])))
    outwards = (upper[0] - upper[-1]) / width_px
    down = np.array([-outwards[1], outwards[0]]) * np.sign(outwards[0] or 1.0)
    visible = float(measures.eye_visible[side])
    opened = visible * smooth_step(opening_px / width_px, 0.10, 0.20)
    patch = _patch(picture_bgr, np.concatenate((upper, lower)), 0.05) if opened > 0 else None
    if patch is not None:
        part_bgr, origin = patch
        ball = np.zeros(part_bgr.shape[:2], np.uint8)
        fill(ball, np.concatenate((upper, lower[::-1])) - origin, (255 * opened,))
        inside = np.empty_like(part_bgr)
        iris_xy = points_xy[IRISES[side]] - origin
        _draw_eyeball(inside, upper - origin, down * opening_px, iris_xy, down, side, measures)
        part_bgr[:] = mixed(part_bgr, medium.muted(inside), ball)
    crease = curve(points_xy[CREASES[side]], 29)[::5]
    lashes = curve(np.concatenate((upper[:1] + (0.05 * outwards - 0.015 * down) * width_px, upper[2::3])), 10)
    return [
        _Line(crease, 0.028 * width_px, (0.2, 0.2), 0.6 * visible * float(measures.crease[side])),
        _Line(lower[2:-2:4], 0.028 * width_px, (0.5, 0.2), 0.5 * visible),
        _Line(lashes, 0.075 * width_px, (0.55, 0.35), visible),
    ]


def _draw_eyeball(
    inside: ImageU8, upper: Points, drop: Points, iris_xy: Points, down: Points, side: int, measures: FaceMeasures
) -> None:
    """Fill a patch with what lies between the lids: the white in the shade of the lid, iris, pupil, catchlight."""
    white = min(max(float(measures.skin_lab[0]) + 26, 62.0), 94.0)
    inside[:] = _bgr(white, 1.5, 4.0)
    fill(inside, np.concatenate((upper - 0.3 * drop, (upper + drop * 0.22)[::-1])), _bgr(white - 12, 2.3, 3.0))
    radius_px = 1.04 * float(np.hypot(*(iris_xy[1:] - iris_xy[0]).T).mean())
    lightness, red, yellow = measures.iris_lab[side].tolist()
    richer = 1 + 0.5 / (1 + (red * red + yellow * yellow) / 45**2)
    level, red, yellow = min(max(0.9 * lightness + 6, 14.0), 58.0), red * richer, yellow * richer
    centre = iris_xy[0]
    disc(inside, centre, radius_px, _bgr(0.45 * level, 0.9 * red, 0.9 * yellow))
    disc(inside, centre, 0.86 * radius_px, _bgr(level, red, yellow))
    disc(inside, centre + 0.28 * radius_px * down, 0.53 * radius_px, _bgr(level + 10, red, yellow + 3))
    disc(inside, centre, 0.42 * radius_px, _bgr(6, 0, 0))
    disc(inside, centre - radius_px * (0.34 * down + (0.28, 0.0)), 0.24 * radius_px, _bgr(98, 0, 0))


def _jaw(points: Points, measures: FaceMeasures) -> _Line:
    """Return the line under the chin, which divides face and neck."""
    width_px = float(np.hypot(*(points[_JAW[0]] - points[_JAW[-1]])))
    return _Line(points[_JAW], 0.022 * width_px, (0.0, 0.0), 0.5 * measures.chin)


def _nostrils(points: Points, measures: FaceMeasures) -> list[_Line]:
    """Return the nostrils as short strokes, and a faint line around each wing of the nose."""
    width_px = max(float(np.hypot(*(points[_WINGS[0][0]] - points[_WINGS[1][0]]))), 1.0)
    dark = measures.nostrils
    return [
        *(_Line(points[wing], 0.035 * width_px, (0.1, 0.3), 0.35 * dark) for wing in _WINGS),
        *(_Line(points[nostril], 0.085 * width_px, (0.35, 0.25), 0.8 * dark) for nostril in NOSTRILS),
    ]


def _draw_lips(part_bgr: ImageU8, points: Points, measures: FaceMeasures, medium: Medium) -> None:
    """Fill the lips with their own colour, the upper one darker, with a highlight on the lower one."""
    visible = max(measures.lip_line, measures.teeth, measures.gap)
    lightness, red, yellow = measures.lips_lab.tolist()
    skin_l, skin_red, skin_yellow = measures.skin_lab.tolist()
    lightness, red, yellow = min(lightness, skin_l - 4), max(1.2 * red, skin_red + 6), max(yellow, 0.8 * skin_yellow)
    shown = np.zeros(part_bgr.shape[:2], np.uint8)
    inside = part_bgr.copy()
    for border, edge, darker in ((_UPPER_BORDER, UPPER_LIP, 7.0), (_LOWER_BORDER, LOWER_LIP, 0.0)):
        outer, inner = curve(points[border], 31), curve(points[edge], 31)
        ring = np.concatenate((outer, inner[::-1]))
        fill(shown, ring, (255 * _LIPS_OPACITY * visible,))
        fill(inside, ring, _bgr(lightness - darker, red, yellow))
    part_bgr[:] = mixed(part_bgr, medium.muted(inside), shown)


def _draw_mouth(picture_bgr: ImageU8, points_xy: Points, measures: FaceMeasures, medium: Medium) -> list[_Line]:
    """Draw the lips, and return the line between them, or the edges of an open mouth."""
    patch = _patch(picture_bgr, points_xy[[*_UPPER_BORDER, *_LOWER_BORDER]], 0.05)
    if patch is None:
        return []
    part_bgr, origin = patch
    points = points_xy - origin
    _draw_lips(part_bgr, points, measures, medium)
    left, right = points_xy[list(MOUTH_CORNERS)]
    width_px = max(float(np.hypot(*(left - right))), 1.0)
    opening = float(np.hypot(*(points[13] - points[14]))) / width_px
    opened, shown = smooth_step(opening, 0.02, 0.07), max(measures.teeth, measures.gap)
    if opened > 0:
        _draw_mouth_opening(part_bgr, points, opening, opened, measures, medium)
    middle = (points_xy[UPPER_LIP] + points_xy[LOWER_LIP]) / 2
    closed = np.concatenate((left[None], middle[1:-1:2], right[None]))
    return [
        *(_Line(points_xy[lip][::2], 0.02 * width_px, (0.3, 0.3), 0.85 * opened * shown) for lip in _EDGES),
        _Line(closed, 0.026 * width_px, (0.3, 0.3), (1 - opened) * measures.lip_line),
    ]


def _draw_mouth_opening(
    part_bgr: ImageU8, points: Points, opening: float, opened: float, measures: FaceMeasures, medium: Medium
) -> None:
    """Fill the opening of the mouth: the dark inside, a tongue if it is wide, and the upper teeth."""
    upper, lower = curve(points[UPPER_LIP], 21), curve(points[LOWER_LIP], 21)
    shape = np.zeros(part_bgr.shape[:2], np.uint8)
    fill(shape, np.concatenate((upper, lower[::-1])), (255 * opened * max(measures.teeth, measures.gap),))
    inside = np.empty_like(part_bgr)
    dark = min(max(0.8 * measures.inside_lightness, 14.0), 42.0)
    inside[:] = _bgr(dark, 14, 7)
    if wide := smooth_step(opening, 0.25, 0.4):
        tongue = lower + (upper - lower) * (0.45 * wide * np.sin(np.linspace(0, np.pi, 21)) ** 0.7)[:, None]
        fill(inside, np.concatenate((tongue, lower[::-1])), _bgr(44, 28, 14))
    if measures.teeth > 0:
        white = min(max(float(measures.skin_lab[0]) + 20, 60.0), 92.0)
        depth = 1 - 0.55 * smooth_step(opening, 0.12, 0.3)
        share = smooth_step(measures.teeth, 0.0, 0.35)  # the colours between are reddish, as the inside is
        colour = _bgr(dark + (white - dark) * share, 14 - 12 * share, 7)
        fill(inside, np.concatenate((upper, (upper + depth * (lower - upper))[::-1])), colour)
    part_bgr[:] = mixed(part_bgr, medium.muted(inside), shape)


def ink_over(picture_bgr: ImageU8, coverage: ImageU8, medium: Medium, workspace: Workspace | None = None) -> None:
    """Draw ink on a picture (H, W, 3) uint8, in place: the colour below is darkened by a coverage (H, W) uint8."""
    gain = gains(coverage, medium.ink_gain, workspace or Workspace(), "ink")
    cv2.multiply(picture_bgr, gain, dst=picture_bgr, scale=1 / 255)


def _patch(picture_bgr: ImageU8, points_xy: Points, margin: float) -> tuple[ImageU8, Points] | None:
    """Return the part of a picture around points, as a view, and its corner; None if it is outside the picture."""
    if not np.isfinite(points_xy).all():
        return None
    low, high = points_xy.min(0), points_xy.max(0)
    reach = margin * float((high - low).max()) + 2
    height, width = picture_bgr.shape[:2]
    left, top = np.floor((low - reach).clip(0, (width, height))).astype(int).tolist()
    right, bottom = np.ceil((high + reach).clip(0, (width, height))).astype(int).tolist()
    if right - left < 2 or bottom - top < 2:
        return None
    return picture_bgr[top:bottom, left:right], np.array([left, top], np.float64)


def _bgr(lightness: float, red: float, yellow: float) -> tuple[float, ...]:
    """Return a colour of CIE Lab as BGR levels, 0..255."""
    lab = np.array([[[lightness, red, yellow]]], np.float32)
    return tuple((cv2.cvtColor(lab, cv2.COLOR_LAB2BGR)[0, 0] * 255).clip(0, 255).tolist())
