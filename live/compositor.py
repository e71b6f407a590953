"""Puts a generator's work back into the frame, inside the region's box only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.region import Region


def add_change(frame_bgr: NDArray[np.uint8], region: Region, change: NDArray[np.float32], strength: float) -> None:
    """Add a change to the frame, in place, through the region's mask.

    Args:
        frame_bgr: (H, W, 3) uint8, bit-identical outside the region's box and where the mask is 0.
        change: float32 BGR in steps of 1/255, at the crop's size or at the box's.
        strength: 0..1.
    """
    if change.shape[:2] != region.mask.shape:
        change = region.uncrop(change)
    box_bgr = region.cut(frame_bgr)
    painted = change * (region.mask * np.float32(strength))[:, :, None]
    painted += box_bgr
    np.rint(painted, out=painted)
    np.clip(painted, 0, 255, out=painted)
    box_bgr[...] = painted
