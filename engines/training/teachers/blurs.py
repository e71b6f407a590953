"""Blurs and soft steps that several teachers use."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def mean_within(values: Floats, weights: Floats, sigma_px: float) -> Floats:
    """Gaussian mean in which each pixel counts by its weight; far from any weight, the plain mean."""
    weights = weights + np.float32(1e-4)
    deep = weights if values.ndim == 2 else weights[..., None]
    total = blur(weights, sigma_px)
    return blur(values * deep, sigma_px) / (total if values.ndim == 2 else total[..., None])


def blur(values: Floats, sigma_px: float) -> Floats:
    """Gaussian blur; a wide one at a smaller size, where it looks the same and costs little."""
    step = int(sigma_px // 4)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), max(sigma_px, 0.3)), np.float32)
    height, width = values.shape[:2]
    small = cv2.resize(values, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def rise(values: Floats, start: float, end: float) -> Floats:
    """0 below `start`, 1 above `end`, smooth between."""
    part = np.clip((values - np.float32(start)) * np.float32(1 / (end - start)), 0, 1)
    return part * part * (3 - 2 * part)
