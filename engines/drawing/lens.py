"""A smooth warp of a crop: larger eyes, a narrower jaw. Nothing moves outside the lenses' radius."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.strokes import Points
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS

_GRID_PX = 4  # displacements are computed on a grid
_CHIN, _MOUTH, _JAW = 152, 13, (172, 397)


@dataclass(frozen=True, slots=True, eq=False)
class Lenses:
    """Radial lenses. A point at the distance r from a centre shows what was at r (1 - strength (1 - (r / radius)^2)^2).

    Attributes:
        centres_xy: (N, 2) pixels of the crop.
        radii_px: (N,).
        strengths: (N,) positive to enlarge, negative to reduce; |strength| < 0.4.
    """

    centres_xy: Points
    radii_px: Points
    strengths: Points

    def warp(self, crop_bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the crop (H, W, 3) uint8 through the lenses."""
        low = np.floor((self.centres_xy - self.radii_px[:, None]).min(0)).clip(0).astype(int)
        high = np.ceil((self.centres_xy + self.radii_px[:, None]).max(0)).clip(0, crop_bgr.shape[1::-1]).astype(int)
        (left, top), (right, bottom) = low.tolist(), high.tolist()
        if right - left < _GRID_PX or bottom - top < _GRID_PX:
            return crop_bgr
        width, height = right - left, bottom - top
        cells_wh = -(-width // _GRID_PX), -(-height // _GRID_PX)
        x, y = ((np.arange(cells, dtype=np.float32) + 0.5) for cells in cells_wh)
        at = np.stack(np.meshgrid(left + x * (width / cells_wh[0]), top + y * (height / cells_wh[1])), -1)
        shift = cv2.resize(self._shift(at.astype(np.float32)), (width, height), interpolation=cv2.INTER_LINEAR)
        places = np.asarray(shift, np.float32)
        places[..., 0] += np.arange(left, right, dtype=np.float32)
        places[..., 1] += np.arange(top, bottom, dtype=np.float32)[:, None]
        out = crop_bgr.copy()
        out[top:bottom, left:right] = cv2.remap(
            crop_bgr,
            places,
            None,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,  # type: ignore[call-overload]
        )
        return out

    def moved(self, points_xy: Points) -> Points:
        """Return where points (N, 2) of the crop are shown after `warp`, by fixed-point iteration."""
        there = np.asarray(points_xy, np.float64)
        shown = there
        for _ in range(2):  # the error is below a twentieth of a pixel
            shown = there - self._shift(shown)
        return shown

    def _shift(self, at: Points) -> Points:
        """Return from where, relative to a place (..., 2), its picture is taken."""
        shift = np.zeros_like(at)
        for centre, radius, strength in zip(self.centres_xy, self.radii_px, self.strengths, strict=True):
            off = at - centre.astype(at.dtype)
            inside = (1 - (off**2).sum(-1, keepdims=True) / radius**2).clip(0, None)
            shift -= np.asarray(strength * inside * inside * off, at.dtype)
        return shift


def face_lenses(landmarks_xy: Points, eyes: float, jaw: float) -> Lenses | None:
    """Return lenses for a face; None if nothing is to be moved.

    Args:
        landmarks_xy: (478, 2) pixels of the crop, face mesh order.
        eyes: Enlargement at the middle of an eye; 1 for none.
        jaw: Narrowing, as a part of the jaw's width; 0 for none.
    """
    centres, radii, strengths = [], [], []
    points = np.asarray(landmarks_xy, np.float64)
    if eyes != 1:
        for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
            rim = points[[*upper, *lower]]
            centres.append(rim.mean(0))
            radii.append(1.15 * float(np.hypot(*(points[upper[0]] - points[upper[-1]]))))
            strengths.append(1 - 1 / eyes)
    if jaw:
        centres.append(0.5 * (points[_CHIN] + points[_MOUTH]))
        radii.append(1.1 * float(np.hypot(*(points[_JAW[0]] - points[_JAW[1]]))))
        strengths.append(-2.0 * jaw)
    return Lenses(np.array(centres), np.array(radii), np.array(strengths)) if centres else None
