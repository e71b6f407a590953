"""Frames with the portrait at a given size and place, for the face tracker."""

from __future__ import annotations

import cv2
import numpy as np

from live.pipeline.frame import Frame, ImageU8


def placed(portrait_bgr: ImageU8, scale: float, at_xy: tuple[float, float], size_wh: tuple[int, int]) -> ImageU8:
    """Return the portrait on a grey background, its upper left corner at `at_xy`."""
    matrix = np.array([[scale, 0, at_xy[0]], [0, scale, at_xy[1]]])
    ground = np.full((size_wh[1], size_wh[0], 3), 90, np.uint8)
    cv2.warpAffine(portrait_bgr, matrix, size_wh, ground, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    return ground


def frame(bgr: ImageU8, index: int) -> Frame:
    return Frame(bgr, index, index / 30)
