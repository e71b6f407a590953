"""Flat tones: edge-preserving smoothing, and lightness in soft steps.

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
    """A picture with its texture taken out and its edges kept: the bilateral filter, several times."""
    for _ in range(times):
        rgb = cv2.bilateralFilter(rgb, 2 * round(reach_px) + 1, colours, reach_px)  # type: ignore[assignment]
    return rgb


def flattened(picture: Floats, guide_rgb: ImageU8, *, strength: float, colours: float) -> Floats:
    """A picture evened out between the guide's edges (weighted least squares).

    Args:
        picture: (S, S, C) float32.
        guide_rgb: (S, S, 3) uint8, whose edges stop the smoothing.
        strength: how far it reaches; the square of a distance in pixels, about.
        colours: the guide's difference that counts as an edge, in steps of 255.
    """
    layers = [
        cv2.ximgproc.fastGlobalSmootherFilter(guide_rgb, layer, strength, colours) for layer in cv2.split(picture)
    ]
    return np.asarray(cv2.merge(layers), np.float32)


def soft_steps(value: Floats, step: Floats | float, sharp: Floats | float) -> Floats:
    """Values drawn towards whole multiples of `step`, with soft borders half-way between them.

    Args:
        value: any.
        step: between two tones.
        sharp: how sharp the borders are: near 0 leaves the value alone, 10 makes plain bands.
    """
    border = (np.floor(value / step) + np.float32(0.5)) * step
    half = 0.5 * step
    return np.asarray(border + half * np.tanh(sharp * (value - border) / step) / np.tanh(0.5 * sharp), np.float32)


def blend(below: Floats, above: Floats, mask: Floats) -> Floats:
    """`above` over `below` where the mask is 1; the mask is (S, S)."""
    cover = mask[..., None] if below.ndim == 3 else mask
    return np.asarray(below + (above - below) * cover, np.float32)


def blurred_within(picture: Floats, mask: Floats, sigma_px: float) -> Floats:
    """A Gaussian blur, (S, S, C), that takes in only what the mask, (S, S), shows; elsewhere of no use."""
    weight = mask + np.float32(1e-3)
    total = cv2.GaussianBlur(picture * weight[..., None], (0, 0), sigma_px)
    return np.asarray(total / cv2.GaussianBlur(weight, (0, 0), sigma_px)[..., None], np.float32)
