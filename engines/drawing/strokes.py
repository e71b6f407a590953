"""Smooth curves and tapered strokes as polygons, filled with anti-aliasing."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[Any]  # (N, 2) float, pixels; the corner of the first pixel is the origin

_SUBPIXEL_BITS = 4  # of OpenCV's fixed-point coordinates
_STROKE_POINTS = 24
_ALONG = np.linspace(0, 1, _STROKE_POINTS)
_SWELL = np.sin(np.pi * _ALONG) ** 0.6
_FAR = 2.0**17  # pixels; OpenCV's fixed-point coordinates overflow far beyond


def curve(points_xy: Points, count: int) -> Points:
    """Return (count, 2) points of the Catmull-Rom spline through (N, 2) points, evenly spaced in its parameter."""
    points: Points = _spline_weights(len(points_xy), count) @ np.asarray(points_xy, np.float64)
    return points


@functools.lru_cache(maxsize=64)
def _spline_weights(points: int, count: int) -> Points:
    """Return (count, points) weights of the open spline; beyond its ends the points are continued in a line."""
    padded = np.zeros((points + 2, points))
    padded[1:-1] = np.eye(points)
    padded[0, :2], padded[-1, -2:] = (2, -1), (-1, 2)
    at = np.linspace(0, points - 1, count)
    first = np.minimum(at.astype(int), points - 2)
    t = (at - first)[:, None]
    before, start, end, after = (padded[first + offset] for offset in range(4))
    slope, bend = end - before, 2 * before - 5 * start + 4 * end - after
    return np.asarray(start + t / 2 * (slope + t * (bend + t * (3 * (start - end) + after - before))))


def stroke(line_xy: Points, width_px: float, taper: tuple[float, float] = (0.0, 0.0)) -> Points:
    """Return the outline of one stroke, (M, 2); see `strokes`."""
    return np.asarray(strokes([line_xy], [width_px], [taper])[0])


def strokes(lines_xy: Sequence[Points], widths_px: Sequence[float], tapers: Sequence[tuple[float, float]]) -> Points:
    """Return the outlines of strokes that are widest in their middle, (S, M, 2).

    Args:
        lines_xy: for each stroke, (N, 2) points that a smooth curve passes through.
        widths_px: of the middle.
        tapers: width of the first and of the last point, relative to the middle.
    """
    lines = np.stack([curve(line_xy, _STROKE_POINTS) for line_xy in lines_xy])  # S, P, 2
    ahead = np.empty_like(lines)
    ahead[:, 1:-1] = lines[:, 2:] - lines[:, :-2]
    ahead[:, 0], ahead[:, -1] = lines[:, 1] - lines[:, 0], lines[:, -1] - lines[:, -2]
    length = np.maximum(np.hypot(ahead[..., 0], ahead[..., 1]), 1e-6)
    ends = np.where(_ALONG < 0.5, *np.array(tapers).T[:, :, None])
    width = np.array(widths_px)[:, None] * (ends * (1 - _SWELL) + _SWELL)
    offset = np.stack((-ahead[..., 1], ahead[..., 0]), -1) * (width / length / 2)[..., None]
    return np.asarray(np.concatenate((lines + offset, (lines - offset)[:, ::-1]), 1))


def fill(picture: NDArray[np.uint8], ring_xy: Points, level: tuple[float, ...]) -> None:
    """Fill a ring (N, 2) on a picture (H, W) or (H, W, C) uint8, in place; the border is anti-aliased."""
    corners = (np.asarray(ring_xy, np.float64) - 0.5).clip(-_FAR, _FAR) * 2**_SUBPIXEL_BITS
    cv2.fillPoly(picture, [np.rint(corners).astype(np.int32)], level, cv2.LINE_AA, _SUBPIXEL_BITS)


def disc(picture: NDArray[np.uint8], centre_xy: Points, radius_px: float, level: tuple[float, ...]) -> None:
    """Fill a disc on a picture, in place; the border is anti-aliased."""
    x, y = np.rint((np.asarray(centre_xy, np.float64) - 0.5).clip(-_FAR, _FAR) * 2**_SUBPIXEL_BITS).astype(int).tolist()
    radius = round(min(max(radius_px, 0.0), _FAR) * 2**_SUBPIXEL_BITS)
    cv2.circle(picture, (x, y), radius, level, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL_BITS)
