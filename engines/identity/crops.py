"""Face crops that are level at the eyes, as face recognition networks take them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.eyes import IRIS_CENTRES

Eyes = tuple[tuple[float, float], tuple[float, float]]
USUAL_SIDE_PX = 112
USUAL_EYES_XY: Eyes = ((38.0, 52.0), (74.0, 52.0))


def face_crop(
    bgr: NDArray[np.uint8],
    landmarks_xy: NDArray[np.float32],
    side_px: int = USUAL_SIDE_PX,
    eyes_xy: Eyes = USUAL_EYES_XY,
    *,
    margin_px: int = 0,
) -> NDArray[np.uint8]:
    """Return the square around a face, turned and scaled until its irises lie at `eyes_xy`.

    Args:
        bgr: (H, W, 3) picture.
        landmarks_xy: (478, 2) pixels of the picture.
        side_px: Side of the square.
        eyes_xy: Both irises in the square, on one line.
        margin_px: Added on each side.

    Returns:
        (side_px + 2 margin_px, side_px + 2 margin_px, 3) RGB.
    """
    (x, y), (to_x, to_y) = landmarks_xy[IRIS_CENTRES].astype(np.float64)
    (left, top), (right, _) = eyes_xy
    turn = (right - left) / (complex(to_x - x, to_y - y) or 1e-6)
    offset = complex(left, top) - turn * complex(x, y)
    matrix = np.array(
        [[turn.real, -turn.imag, offset.real + margin_px], [turn.imag, turn.real, offset.imag + margin_px]]
    )
    scale, side = abs(turn), side_px + 2 * margin_px
    if scale < 0.7:  # averaged first: a plain warp would alias
        bgr, matrix = _reduced(bgr, side, scale, matrix)
    crop = cv2.warpAffine(bgr, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(crop[:, :, ::-1], np.uint8)


def _reduced(
    bgr: NDArray[np.uint8], side: int, scale: float, matrix: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return what the crop shows of the picture at the size of the crop, and the matrix from there."""
    height, width = bgr.shape[:2]
    corners = np.array([(0, 0, 1), (side, 0, 1), (0, side, 1), (side, side, 1)])
    found_xy = corners @ cv2.invertAffineTransform(matrix).T
    low, high = found_xy.min(0) - 2 / scale, found_xy.max(0) + 2 / scale
    left, top = (int(edge) for edge in np.clip(low, 0, (width - 2, height - 2)))
    right, bottom = (int(edge) for edge in np.clip(high, (left + 2, top + 2), (width, height)))
    part = bgr[top:bottom, left:right]
    small_wh = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = cv2.resize(part, small_wh, interpolation=cv2.INTER_AREA)
    fx, fy = part.shape[1] / small_wh[0], part.shape[0] / small_wh[1]
    to_picture = np.array([[fx, 0, left + 0.5 * fx - 0.5], [0, fy, top + 0.5 * fy - 0.5], [0, 0, 1]])
    return np.asarray(small, np.uint8), matrix @ to_picture
