"""A pen: filled shapes and tapered strokes, anti-aliased, on a picture in CIE Lab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.teachers.shading import Floats, blend

_SUBPIXEL_BITS = 4  # of OpenCV's fixed-point coordinates
_STROKE_POINTS = 40
Points = NDArray[Any]  # (N, 2) float, pixels


class Pen:
    """Draws on an enlarged copy of a picture.

    Args:
        lab: (S, S, 3) float32, CIE Lab, L 0..100.
        scale: factor of the enlargement; coordinates and widths are those of the picture before it.

    Attributes:
        lab: the drawing, (scale * S, scale * S, 3) float32, CIE Lab.
    """

    def __init__(self, lab: Floats, scale: int = 1) -> None:
        self._scale = scale
        self.lab = self.enlarged(lab)

    def enlarged(self, plane: Floats) -> Floats:
        """Return (S, S) or (S, S, C) float32 at the size of the drawing."""
        return np.asarray(
            cv2.resize(plane, None, fx=self._scale, fy=self._scale, interpolation=cv2.INTER_CUBIC), np.float32
        )

    def shape(self, *rings_xy: Points, blur_px: float = 0.0) -> Floats:
        """Return the coverage of filled rings, each (N, 2), at the size of the drawing, 0..1."""
        mask = np.zeros(self.lab.shape[:2], np.uint8)
        for ring_xy in rings_xy:
            corners = (np.asarray(ring_xy) * self._scale - 0.5) * 2**_SUBPIXEL_BITS
            cv2.fillPoly(mask, [np.rint(corners.clip(-(2**20), 2**20)).astype(np.int32)], (255,), cv2.LINE_AA, 4)
        soft = cv2.GaussianBlur(mask, (0, 0), blur_px * self._scale) if blur_px else mask
        return np.asarray(soft, np.float32) / np.float32(255)

    def disc(self, centre_xy: Points, radius_px: float) -> Floats:
        """Return the coverage of a disc."""
        angle = np.linspace(0, 2 * np.pi, 60)
        return self.shape(centre_xy + radius_px * np.stack((np.cos(angle), np.sin(angle)), 1))

    def stroke(self, line_xy: Points, width_px: float, taper: tuple[float, float] = (0.0, 0.0)) -> Floats:
        """Return the coverage of a stroke, widest in its middle.

        Args:
            line_xy: (N, 2) points that a smooth curve passes through.
            width_px: of the middle.
            taper: width of the first and of the last point, relative to the middle.
        """
        line = curve(line_xy, _STROKE_POINTS)
        along = np.linspace(0, 1, len(line))
        swell = np.sin(np.pi * along) ** 0.6
        width = width_px * (np.where(along < 0.5, *taper) * (1 - swell) + swell)
        direction = np.gradient(line, axis=0)
        direction /= np.maximum(np.hypot(*direction.T), 1e-6)[:, None]
        offset = np.stack((-direction[:, 1], direction[:, 0]), 1) * width[:, None] / 2
        return self.shape(np.concatenate((line + offset, (line - offset)[::-1])))

    def fill(self, coverage: Floats, lab: Sequence[float] | Floats) -> None:
        """Lay a colour over the drawing."""
        self.lab = blend(self.lab, np.broadcast_to(np.asarray(lab, np.float32), self.lab.shape), coverage)

    def ink(self, coverage: Floats, lightness: float = 0.22) -> None:
        """Draw in a dark shade of the colours below: `lightness` of theirs remains."""
        self.lab = blend(self.lab, self.lab * np.array([lightness, 0.7, 0.7], np.float32), coverage)


def curve(points_xy: Points, count: int) -> Points:
    """Return (count, 2) points of the Catmull-Rom spline through (N, 2) points, evenly spaced in its parameter."""
    points = np.asarray(points_xy, np.float64)
    padded = np.concatenate((2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]))
    at = np.linspace(0, len(points) - 1, count)
    first = np.minimum(at.astype(int), len(points) - 2)
    part = (at - first)[:, None]
    before, start, end, after = (padded[first + offset] for offset in range(4))
    slope, bend = end - before, 2 * before - 5 * start + 4 * end - after
    return np.asarray(start + part / 2 * (slope + part * (bend + part * (3 * (start - end) + after - before))))
