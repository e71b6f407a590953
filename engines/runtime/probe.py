"""A synthetic test input for engines, and the tolerance that an engine's answer to it must meet."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MAX_MEAN_DEVIATION, _MAX_DEVIATION = 0.5, 8.0  # of 255; on crops of lips FP16 deviates by 0.15 and 2
_BLOCK_PX = 6


def probe_bgr(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return one region of random colour blocks, the same at each call: (1, H, W, 3) uint8 BGR, 0..255.

    It contains flat areas and edges of every contrast and is harder than any camera picture.
    """
    width, height = size_wh
    blocks_hw = height // _BLOCK_PX + 1, width // _BLOCK_PX + 1
    blocks = np.random.default_rng(0).integers(0, 256, (*blocks_hw, 3), dtype=np.uint8)
    whole = blocks.repeat(_BLOCK_PX, axis=0).repeat(_BLOCK_PX, axis=1)
    return np.ascontiguousarray(whole[None, :height, :width])


def within_tolerance(answer: NDArray[np.float32], reference: NDArray[np.float32]) -> bool:
    """Whether an engine's answer to the probe is close enough to the FP32 reference's.

    Args:
        answer: (N, H, W, 3) float32 BGR in steps of 1/255. NaN or infinity is never within the tolerance.
        reference: The same shape.
    """
    deviation = np.abs(answer - reference)
    if not np.isfinite(deviation).all():
        return False
    return bool(deviation.mean() <= _MAX_MEAN_DEVIATION and deviation.max() <= _MAX_DEVIATION)
