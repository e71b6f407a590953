"""Steadies what a network draws of consecutive frames, so that it does not flicker with the camera's noise."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]

_TAU_S = 0.12  # small changes are smoothed with this time constant
_LARGE = 20.0  # levels: a change of this size is shown at once
_THUMBNAIL_PX = 12
_NOISE = 5  # levels of a thumbnail, each the mean of some hundred pixels
_MAX_GAP_S = 0.2  # after a longer gap nothing is smoothed


@dataclass(frozen=True, slots=True, eq=False)
class SteadyPictures:
    """Pictures or planes of one region as they are shown, with what the next frame's need.

    Attributes:
        pictures: Each (h, w, C) uint8, smoothed.
        centre_xy: What moves with them, for example the centre of the face, as a part of the region, 0..1.
        at_s: The frame's time in seconds.
        thumbnail: (s, s) uint8: the grey crop that the network saw, reduced; None if it was not kept.
    """

    pictures: tuple[ImageU8, ...]
    centre_xy: tuple[float, float]
    at_s: float
    thumbnail: ImageU8 | None = None

    def shows(self, thumbnail: ImageU8) -> bool:
        """Whether the network saw the same, apart from the camera's noise."""
        return self.thumbnail is not None and bool(cv2.absdiff(self.thumbnail, thumbnail).max() <= _NOISE)

    def followed_by(
        self,
        pictures: tuple[ImageU8, ...],
        centre_xy: tuple[float, float],
        at_s: float,
        thumbnail: ImageU8 | None = None,
    ) -> SteadyPictures:
        """Return the next pictures: small changes since these come slowly, large ones at once."""
        elapsed_s = at_s - self.at_s
        alike = [one.shape for one in self.pictures] == [one.shape for one in pictures]
        if not 0.0 < elapsed_s <= _MAX_GAP_S or not alike:
            return SteadyPictures(pictures, centre_xy, at_s, thumbnail)
        moved = centre_xy[0] - self.centre_xy[0], centre_xy[1] - self.centre_xy[1]
        table = _weights(1.0 - math.exp(-elapsed_s / _TAU_S))
        steadied = tuple(
            _mixed(_moved(old, moved), new, table) for old, new in zip(self.pictures, pictures, strict=True)
        )
        return SteadyPictures(steadied, centre_xy, at_s, thumbnail)


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


def _moved(picture: ImageU8, by: tuple[float, float]) -> ImageU8:
    """Return a picture moved by a part of its size; below a tenth of a pixel it is returned as it is."""
    height, width = picture.shape[:2]
    x, y = by[0] * width, by[1] * height
    if max(abs(x), abs(y)) < 0.1:
        return picture
    matrix = np.array([[1, 0, x], [0, 1, y]], np.float64)
    return np.asarray(cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _mixed(old: ImageU8, new: ImageU8, table: ImageU8) -> ImageU8:
    change = cv2.absdiff(old, new)
    channels = cv2.split(change)
    largest = functools.reduce(cv2.max, channels)  # one weight for all channels: colours of two surfaces do not mix
    step = cv2.multiply(change, cv2.merge([cv2.LUT(largest, table)] * len(channels)), scale=1 / 255)
    step = cv2.max(step, cv2.threshold(change, 1, 1, cv2.THRESH_BINARY)[1])  # else it rounds to 0 before it arrives
    up, down = cv2.min(step, cv2.subtract(new, old)), cv2.min(step, cv2.subtract(old, new))
    return np.asarray(cv2.subtract(cv2.add(old, up), down), np.uint8)
