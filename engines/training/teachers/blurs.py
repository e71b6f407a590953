"""Blurs and soft steps shared by the teachers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def mean_within(values: Floats, weights: Floats, sigma_px: float) -> Floats:
    """Return the Gaussian mean of values (S, S) or (S, S, C), weighted by (S, S); the plain mean without weights."""
    weights = weights + np.float32(1e-4)
    deep = weights if values.ndim == 2 else weights[..., None]
    total = blur(weights, sigma_px)
    return blur(values * deep, sigma_px) / (total if values.ndim == 2 else total[..., None])


def blur(values: Floats, sigma_px: float) -> Floats:
    """Return a Gaussian blur; wide ones are computed at a reduced size, with the same look."""
    step = int(sigma_px // 4)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), max(sigma_px, 0.3)), np.float32)
    height, width = values.shape[:2]
    small = cv2.resize(values, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def rise(values: Floats, start: float, end: float) -> Floats:
    """Return the smoothstep of values: 0 below `start`, 1 above `end`."""
    part = np.clip((values - np.float32(start)) * np.float32(1 / (end - start)), 0, 1)
    return part * part * (3 - 2 * part)
