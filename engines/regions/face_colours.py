"""Colour transfer in Lab between a face and the colours that a network was trained on (Reinhard et al. 2001)."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import Floats, ImageU8
from engines.regions.temporal_filter import TemporalFilter

_USUAL = np.array([[60.0, 14.0, 16.0], [14.0, 4.5, 5.0]], np.float32)  # mean and deviation of L, a and b
_MOST_GAIN = 2.5
_TAU_S = 0.25


def face_colours(crop_bgr: ImageU8, temporal_filter: TemporalFilter | None = None, at_s: float = 0.0) -> Floats:
    """Return mean and standard deviation of L, a and b, (2, 3), over the middle of an aligned face.

    Args:
        crop_bgr: (H, W, 3) uint8, of `engines.regions.aligned_face`.
        temporal_filter: Of the same face; None for a single picture.
        at_s: Time of the frame in seconds.
    """
    lab, inside = _lab(crop_bgr), _middle(crop_bgr.shape[:2])
    mean, deviation = cv2.meanStdDev(lab, mask=inside)
    found = np.asarray(np.concatenate((mean, deviation), axis=1).T, np.float32)
    return found if temporal_filter is None else temporal_filter.smoothed("colours", found, _TAU_S, at_s)


def to_usual(crop_bgr: ImageU8, colours: Floats) -> ImageU8:
    """Return a crop whose colours were measured, in the colours of the training data, (H, W, 3) uint8 BGR."""
    return np.asarray(np.clip(np.rint(_transferred(crop_bgr, colours, _USUAL)), 0, 255), np.uint8)


def from_usual(picture_bgr: Floats, colours: Floats) -> Floats:
    """Return a picture of the network, (H, W, 3) float32 in steps of 1/255, in the colours of a face."""
    return _transferred(np.clip(picture_bgr, 0, 255), _USUAL, colours)


def _transferred(picture_bgr: NDArray[np.generic], of: Floats, to: Floats) -> Floats:
    gain = np.clip(to[1] / np.maximum(of[1], 1e-3), 1 / _MOST_GAIN, _MOST_GAIN)
    lab = (_lab(picture_bgr) - of[0]) * gain + to[0]
    return np.asarray(cv2.cvtColor(np.asarray(lab, np.float32), cv2.COLOR_Lab2BGR) * np.float32(255), np.float32)


def _lab(picture_bgr: NDArray[np.generic]) -> Floats:
    return cv2.cvtColor(np.asarray(picture_bgr, np.float32) * np.float32(1 / 255), cv2.COLOR_BGR2Lab)  # type: ignore[return-value]


@functools.cache
def _middle(shape: tuple[int, int]) -> ImageU8:
    """Return the mask of the ellipse from the forehead to the chin of an aligned face."""
    height, width = shape
    mask = np.zeros(shape, np.uint8)
    axes = round(0.3 * width), round(0.36 * height)
    return cv2.ellipse(mask, (width // 2, round(0.52 * height)), axes, 0, 0, 360, (255,), -1)  # type: ignore[return-value]
