"""Measurement of the illumination of a face."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LIGHT_TAU_S = 0.26  # time constant for illumination and colour
# Landmarks on forehead, cheeks, nose and chin, away from eyes, brows and lips.
_FOREHEAD_AND_NOSE = (10, 67, 297, 109, 338, 151, 9, 8, 6, 197, 195, 5, 4)
_CHEEKS_AND_CHIN = (50, 280, 101, 330, 205, 425, 117, 346, 36, 266, 123, 352, 187, 411, 118, 347, 142, 371, 203, 423)
_SKIN = np.array(_FOREHEAD_AND_NOSE + _CHEEKS_AND_CHIN)
_PUPILS, _EYE_CORNERS = np.array([468, 468, 473, 473]), np.array([33, 133, 362, 263])
_WHITE_IN_FULL_LIGHT = 0.62  # level of an eye's white in good light, including lashes and shadow
_DIRECTIONS = np.stack(np.meshgrid(*[np.linspace(-1, 1, 5, dtype=np.float32)] * 2), -1).reshape(1, 25, 2)


def face_light(landmarks_xy: NDArray[np.float32], frame_bgr: NDArray[np.uint8], *, patch_px: float) -> float:
    """Measure the illumination of a face, 0..1; about 0.8 in good light.

    It is the level of the bright part of the skin, averaged over patches against noise. Because dark skin does not mean
    a dim room, the whites of the eyes count too if they are brighter.

    Args:
        landmarks_xy: (478, 2) float32 pixels, face mesh order.
        frame_bgr: (H, W, 3) uint8.
        patch_px: Half the side of a patch.
    """
    skin = _patch_means(landmarks_xy[_SKIN], frame_bgr, max(1.0, patch_px))
    if len(skin) < 4:
        return 0.8
    levels = np.sort(skin.max(1))
    light = float(levels[len(levels) * 13 // 20 : len(levels) * 19 // 20].mean())
    whites_xy = landmarks_xy[_PUPILS] * 0.45 + landmarks_xy[_EYE_CORNERS] * 0.55
    whites = _patch_means(whites_xy, frame_bgr, 0.4 * patch_px)
    if len(whites):
        light = max(light, min(0.8, 0.8 * float(whites.min(1).max()) / _WHITE_IN_FULL_LIGHT))
    return light


def _patch_means(points_xy: NDArray[np.float32], frame_bgr: NDArray[np.uint8], half_px: float) -> NDArray[np.float32]:
    """Return (N, 3) mean BGR, 0..1, around the points whose whole patch lies in the frame."""
    points_xy = points_xy[np.isfinite(points_xy).all(1)]
    at = (points_xy[:, None] + _DIRECTIONS * np.float32(half_px)).clip(-9, 32000).astype(np.int32)  # (N, 25, 2)
    height, width = frame_bgr.shape[:2]
    inside = ((at >= 0) & (at < (width, height))).all((1, 2))
    at = at[inside]
    patches = frame_bgr[at[:, :, 1], at[:, :, 0]]  # (N, 25, 3)
    return np.asarray(patches.mean(1, dtype=np.float32) / 255, np.float32)
