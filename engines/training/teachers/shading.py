"""Flat tones: edge-preserving smoothing and soft quantisation of lightness.

Sources: H. Winnemoeller, S. C. Olsen, B. Gooch, "Real-Time Video Abstraction", SIGGRAPH 2006, section 3.3 (soft
quantisation); D. Min et al., "Fast Global Image Smoothing Based on Weighted Least Squares", IEEE TIP 2014.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
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


def soft_steps(value: Floats, step: Floats | float, sharp: Floats | float) -> Floats:
    """Return values pulled towards multiples of `step`, with soft borders between them.

    Args:
        value: Any values.
        step: Distance of two tones.
        sharp: Sharpness of the borders: 0 leaves the values unchanged, 10 gives plain bands.
    """
    border = (np.floor(value / step) + np.float32(0.5)) * step
    half = 0.5 * step
    return np.asarray(border + half * np.tanh(sharp * (value - border) / step) / np.tanh(0.5 * sharp), np.float32)


def blend(below: Floats, above: Floats, mask: Floats) -> Floats:
    """Return `above` over `below`, (S, S) or (S, S, C), by a mask (S, S) 0..1."""
    cover = mask[..., None] if below.ndim == 3 else mask
    return np.asarray(below + (above - below) * cover, np.float32)


def blurred_within(picture: Floats, mask: Floats, sigma_px: float) -> Floats:
    """Return a Gaussian blur (S, S, C) over the pixels of a mask (S, S); values outside the mask are undefined."""
    weight = mask + np.float32(1e-3)
    total = cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma_px)
    return np.asarray(total / cv2.GaussianBlur(weight, (0, 0), sigma_px)[..., None], np.float32)
