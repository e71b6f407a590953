"""Blurs and edge-preserving smoothing, shared by the teachers.

Source: D. Min et al., "Fast Global Image Smoothing Based on Weighted Least Squares", IEEE TIP 2014.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.picture_pairs import ImageU8

Floats = NDArray[np.float32]


def abstracted(rgb: ImageU8, *, times: int, colours: float, reach_px: float) -> ImageU8:
    """Return (S, S, 3) uint8 without texture and with its edges: the bilateral filter, applied several times."""
    for _ in range(times):
        rgb = cv2.bilateralFilter(rgb, 2 * round(reach_px) + 1, colours, reach_px)  # type: ignore[assignment]
    return rgb


def flattened(picture: Floats, guide_rgb: ImageU8, *, strength: float, colours: float) -> Floats:
    """Return a picture smoothed between the edges of a guide (weighted least squares).

    Args:
        picture: (S, S, C) float32.
        guide_rgb: (S, S, 3) uint8; its edges stop the smoothing.
        strength: About the square of the reach in pixels.
        colours: Difference in the guide that counts as an edge, 0..255.
    """
    layers = [
        cv2.ximgproc.fastGlobalSmootherFilter(guide_rgb, layer, strength, colours) for layer in cv2.split(picture)
    ]
    return np.asarray(cv2.merge(layers), np.float32)


def blend(below: Floats, above: Floats, mask: Floats) -> Floats:
    """Return `above` over `below`, (S, S) or (S, S, C), by a mask (S, S) 0..1."""
    cover = mask[..., None] if below.ndim == 3 else mask
    return np.asarray(below + (above - below) * cover, np.float32)


def blurred_within(picture: Floats, mask: Floats, sigma_px: float) -> Floats:
    """Return a Gaussian blur (S, S, C) over the pixels of a mask (S, S); values outside the mask are undefined."""
    weight = mask + np.float32(1e-3)
    total = cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma_px)
    return np.asarray(total / cv2.GaussianBlur(weight, (0, 0), sigma_px)[..., None], np.float32)


def mean_within(values: Floats, weights: Floats, sigma_px: float) -> Floats:
    """Return the Gaussian mean of values (S, S) or (S, S, C), weighted by (S, S); the plain mean without weights."""
    weights = weights + np.float32(1e-4)
    deep = weights if values.ndim == 2 else weights[..., None]
    total = blur(weights, sigma_px)
    return blur(values * deep, sigma_px) / (total if values.ndim == 2 else total[..., None])


def blur(values: Floats, sigma_px: float) -> Floats:
    """Return a Gaussian blur of (S, S) or (S, S, C) float32; wide ones are computed at a reduced size."""
    step = int(sigma_px // 4)
    if step < 2:
        return np.asarray(cv2.GaussianBlur(values, (0, 0), max(sigma_px, 0.3)), np.float32)
    height, width = values.shape[:2]
    small = cv2.resize(values, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma_px / step)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
