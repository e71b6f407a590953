"""Steadies the planes of consecutive frames, so that tones, hair and lines do not flicker with the camera's noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.plane_set import Planes

ImageU8 = NDArray[np.uint8]

_TAU_S = 0.12  # small changes are smoothed with this time constant
_LARGE = 36.0  # levels: a change of this size is shown at once
_THUMBNAIL_PX = 12
_NOISE = 5  # levels of a thumbnail, each the mean of some hundred pixels
_MAX_GAP_S = 0.2  # after a longer gap nothing is smoothed


@dataclass(frozen=True, slots=True, eq=False)
class SteadyPlanes:
    """Planes as they are drawn, with what the next frame's need.

    Attributes:
        planes: The planes, smoothed.
        centre_xy: What moves with the planes, for example the centre of the face, as a part of the region, 0..1.
        at_s: The frame's time in seconds.
        thumbnail: (s, s) uint8: the grey crop that the network saw, reduced; None if it was not kept.
    """

    planes: Planes
    centre_xy: tuple[float, float]
    at_s: float
    thumbnail: ImageU8 | None = None

    def shows(self, thumbnail: ImageU8) -> bool:
        """Whether the network saw the same, apart from the camera's noise."""
        return self.thumbnail is not None and bool(cv2.absdiff(self.thumbnail, thumbnail).max() <= _NOISE)

    def followed_by(
        self, planes: Planes, centre_xy: tuple[float, float], at_s: float, thumbnail: ImageU8 | None = None
    ) -> SteadyPlanes:
        """Return the next planes: small changes since these come slowly, large ones at once."""
        elapsed_s = at_s - self.at_s
        before = (self.planes.colour, self.planes.fields)
        if not 0.0 < elapsed_s <= _MAX_GAP_S or self.planes.fields.shape != planes.fields.shape:
            return SteadyPlanes(planes, centre_xy, at_s, thumbnail)
        moved = centre_xy[0] - self.centre_xy[0], centre_xy[1] - self.centre_xy[1]
        table = _weights(1.0 - math.exp(-elapsed_s / _TAU_S))
        pairs = zip(before, (planes.colour, planes.fields), strict=True)
        steadied = [_mixed(_moved(old, moved), new, table) for old, new in pairs]
        return SteadyPlanes(Planes(*steadied), centre_xy, at_s, thumbnail)


def thumbnail_of(crop_bgr: ImageU8) -> ImageU8:
    """Return a crop (H, W, 3) uint8 reduced to about `_THUMBNAIL_PX`, grey."""
    grey = np.asarray(cv2.cvtColor(crop_bgr, cv2.COLOR_BGR2GRAY), np.uint8)
    while min(grey.shape) >= 2 * _THUMBNAIL_PX:
        grey = np.asarray(
            cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA), np.uint8
        )
    return grey


def _weights(least: float) -> ImageU8:
    """Return the weight of the new value, 0..255, by the size of its change, (256,)."""
    change = np.arange(256) / _LARGE
    return np.asarray(np.rint(255 * (least + (1 - least) * np.minimum(change * change, 1.0))), np.uint8)


def _moved(plane: ImageU8, by: tuple[float, float]) -> ImageU8:
    """Return a plane moved by a part of its size; below a tenth of a pixel it is returned as it is."""
    height, width = plane.shape[:2]
    x, y = by[0] * width, by[1] * height
    if max(abs(x), abs(y)) < 0.1:
        return plane
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return np.asarray(cv2.warpAffine(plane, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _mixed(old: ImageU8, new: ImageU8, table: ImageU8) -> ImageU8:
    weight = cv2.LUT(cv2.absdiff(old, new), table)
    part = cv2.multiply(new, weight, scale=1 / 255)
    return np.asarray(cv2.add(part, cv2.multiply(old, cv2.bitwise_not(weight), scale=1 / 255)), np.uint8)
