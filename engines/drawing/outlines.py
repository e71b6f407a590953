"""Outlines along the borders of soft masks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.smooth_step import rise

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]


def nearness(mask: Floats, reach_px: float, blur_px: float, *, level: float, min_slope: float) -> Floats:
    """Return how near each pixel is to the border of a mask: 1 on the border, 0 from `reach_px` on.

    The distance to the border is the mask's level over its slope. Enlarge the result, then use `as_line`.

    Args:
        mask: (H, W) float32, 0..1.
        reach_px: Pixels of the mask.
        blur_px: Standard deviation of the blur that evens out the border.
        level: Level of the mask that is its border, 0..1.
        min_slope: Per pixel; a mask that is this flat has no border there.
    """
    smooth = cv2.GaussianBlur(mask, (0, 0), max(blur_px, 0.3))
    along = (cv2.Sobel(smooth, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    slope = cv2.magnitude(*along)
    near = 1 - np.abs(smooth - np.float32(level)) / (slope + np.float32(1e-4)) / np.float32(reach_px)
    sure = ((slope - min_slope) / (2 * min_slope)).clip(0, 1)
    return np.asarray(near.clip(0, 1) * sure, np.float32)


def as_line(near: ImageU8, width_px: float, reach_px: float, opacity: float) -> None:
    """Turn an enlarged result of `nearness` times 255, (H, W) uint8, into the coverage of a line, in place.

    Args:
        width_px: Width of the line, pixels of `near`.
        reach_px: The same reach, pixels of `near`.
        opacity: 0..1.
    """
    border, soft = 1 - width_px / (2 * reach_px), 0.7 / reach_px
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    table = np.rint(255 * opacity * rise(levels, border - soft, border + soft)).astype(np.uint8)
    cv2.LUT(near, table, dst=near)
