"""Enlargement of a colour plane along the borders of a photo: the fast guided filter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.shrink import shrunk
from engines.regions.workspace import Workspace

ImageU8 = NDArray[np.uint8]

_WINDOW_PX, _COARSE_WINDOW_PX = 5, 9  # of the small plane
_MEAN_PX = 3  # side of the box filter that averages the coefficients
_TEXTURE = 90.0  # variance of the guide, in squared levels, that counts as texture and is not taken over
_STRAND_PX = 3  # thin lines of the guide, such as single hairs, are not taken over: a median filter of this size


def guided_enlargement(
    small: ImageU8, guide_bgr: ImageU8, workspace: Workspace | None = None, *, is_coarse: bool = False
) -> ImageU8:
    """Return a plane at the size of a guide, with borders where the guide has them (He and Sun 2015, arXiv:1505.00996).

    In each window each channel of the plane is a linear function of the same channel of the guide, so that a border
    between two colours of the same lightness is found too. The coefficients are computed at the plane's size and
    enlarged. What the plane does not contain, such as texture, light and single hairs, is not taken from the guide.

    Args:
        small: (h, w, 3) uint8 BGR.
        guide_bgr: (H, W, 3) uint8 of the same area.
        workspace: For intermediate arrays; one of them is returned.
        is_coarse: The plane's own borders are blurred over several of its pixels: larger windows, which hold both sides
            of a border, keep its sharpness.

    Returns:
        (H, W, 3) uint8.
    """
    workspace = workspace or Workspace()
    size_wh, mean_window = (guide_bgr.shape[1], guide_bgr.shape[0]), (_MEAN_PX,) * 2
    window = (_COARSE_WINDOW_PX if is_coarse else _WINDOW_PX,) * 2
    guide_bgr = cv2.medianBlur(guide_bgr, _STRAND_PX, dst=workspace.array("guide", guide_bgr.shape))  # type: ignore[assignment]
    plane = small.astype(np.float32)
    guide = shrunk(guide_bgr, (small.shape[1], small.shape[0])).astype(np.float32)
    mean, guide_mean = cv2.blur(plane, window), cv2.blur(guide, window)
    variance = cv2.blur(guide * guide, window) - guide_mean * guide_mean + np.float32(_TEXTURE)
    slope = (cv2.blur(plane * guide, window) - mean * guide_mean) / variance
    offset = mean - slope * guide_mean
    names = ("guided slope", "guided offset")
    slopes, offsets = (workspace.array(name, guide_bgr.shape, np.float32) for name in names)
    cv2.resize(cv2.blur(slope, mean_window), size_wh, dst=slopes)
    cv2.resize(cv2.blur(offset, mean_window), size_wh, dst=offsets)
    cv2.multiply(slopes, guide_bgr, dst=slopes, dtype=cv2.CV_32F)
    enlarged = workspace.array("guided", guide_bgr.shape)
    cv2.add(slopes, offsets, dst=enlarged, dtype=cv2.CV_8U)
    return enlarged
