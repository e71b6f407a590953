"""Puts a generator's work back into the frame, inside the region's box only."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.head_region import PictureRegion
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
    _add(region.cut(frame_bgr), change, region.mask * np.float32(strength))


def add_region_change(
    frame_bgr: NDArray[np.uint8], region: PictureRegion, change: NDArray[np.float32], strength: float
) -> None:
    """The same for an upright region: the change is enlarged, the frame's own detail stays."""
    box_bgr = region.cut(frame_bgr)
    if region.mask is None:
        weight = np.full(box_bgr.shape[:2], strength, np.float32)
    else:
        weight = region.mask.astype(np.float32) * np.float32(strength / 255)
    _add(box_bgr, np.asarray(region.uncrop(change), np.float32), weight)


def blend_picture(
    frame_bgr: NDArray[np.uint8], region: PictureRegion, picture_bgr: NDArray[np.float32], strength: float
) -> None:
    """Put a finished picture over the frame, in place, through the region's mask.

    Args:
        frame_bgr: (H, W, 3) uint8, bit-identical outside the region's box and where the mask is 0.
        picture_bgr: float32 BGR in steps of 1/255, at the crop's size.
        strength: 0..1; in between, the frame shows through.
    """
    box_bgr = region.cut(frame_bgr)
    finished = region.uncrop(np.clip(picture_bgr + np.float32(0.5), 0, 255).astype(np.uint8))
    if region.mask is None:
        cv2.addWeighted(finished, strength, box_bgr, 1.0 - strength, 0.0, dst=box_bgr)
        return
    x, y, width, height = cv2.boundingRect(region.mask)
    if not width:
        return  # nothing of it is seen: the face is on its way out of the frame
    part = slice(y, y + height), slice(x, x + width)  # a person seldom fills the frame
    mask = region.mask[part] if strength >= 1.0 else cv2.convertScaleAbs(region.mask[part], alpha=strength)
    weight = cv2.merge([mask] * 3)
    over = cv2.multiply(finished[part], weight, scale=1 / 255)
    under = cv2.multiply(box_bgr[part], cv2.bitwise_not(weight), scale=1 / 255)
    box_bgr[part] = cv2.add(over, under)


def _add(box_bgr: NDArray[np.uint8], change: NDArray[np.float32], weight: NDArray[np.float32]) -> None:
    painted = change * weight[:, :, None]
    painted += box_bgr
    np.rint(painted, out=painted)
    np.clip(painted, 0, 255, out=painted)
    box_bgr[...] = painted
