"""Blends a generator's output into the frame, inside the region's box only.

The `Workspace` arguments avoid allocations of the size of a frame; None creates a temporary one.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import LipsRegion
from engines.regions.upright import PictureRegion
from engines.regions.workspace import Workspace


def add_change(frame_bgr: NDArray[np.uint8], region: LipsRegion, change: NDArray[np.float32], strength: float) -> None:
    """Add a change to the frame, in place, through the region's mask.

    Args:
        frame_bgr: (H, W, 3) uint8, bit-identical outside the region's box and where the mask is 0.
        region: Lips region of that frame.
        change: (h, w, 3) float32 BGR in steps of 1/255, at the crop's size or at the box's.
        strength: 0..1.
    """
    if change.shape[:2] != region.mask.shape:
        change = region.uncrop(change)
    box_bgr = region.cut(frame_bgr)
    painted = change * (region.mask * np.float32(strength))[:, :, None]
    cv2.add(box_bgr, painted, dst=box_bgr, dtype=cv2.CV_8U)


def add_region_change(
    frame_bgr: NDArray[np.uint8],
    region: PictureRegion,
    change: NDArray[np.float32],
    strength: float,
    workspace: Workspace | None = None,
) -> None:
    """Add a change to the frame, in place, through the mask of an upright region.

    The change is enlarged to the box, so the frame keeps its own detail.

    Args:
        frame_bgr: (H, W, 3) uint8, bit-identical outside the region's box and where the mask is 0.
        region: Region with a mask, or None as its mask for the whole box.
        change: (h, w, 3) float32 BGR in steps of 1/255, at the crop's size.
        strength: 0..1.
        workspace: See the module.
    """
    workspace = workspace or Workspace()
    bounds = mask_bounds(region)
    if bounds is None:
        return
    box_bgr = region.cut(frame_bgr)[bounds]
    whole = region.uncrop(change, workspace, "change")[bounds]
    painted = workspace.array("painted", whole.shape, np.float32)
    if region.mask is None:
        np.multiply(whole, np.float32(strength), out=painted)
    else:
        weight = cv2.merge([region.mask[bounds]] * 3, dst=workspace.array("weight", whole.shape))
        cv2.multiply(whole, weight, dst=painted, scale=strength / 255, dtype=cv2.CV_32F)
    cv2.add(box_bgr, painted, dst=box_bgr, dtype=cv2.CV_8U)  # rounds and saturates


def blend_picture(
    frame_bgr: NDArray[np.uint8],
    region: PictureRegion,
    picture_bgr: NDArray[np.uint8],
    strength: float,
    workspace: Workspace | None = None,
) -> None:
    """Blend a picture over the frame, in place, through the region's mask.

    Args:
        frame_bgr: (H, W, 3) uint8, bit-identical outside the region's box and where the mask is 0.
        region: Upright region of that frame.
        picture_bgr: (h, w, 3) uint8, at the crop's size.
        strength: 0..1; below 1 the result is mixed with the frame.
        workspace: See the module.
    """
    workspace = workspace or Workspace()
    bounds = mask_bounds(region)
    if bounds is None:
        return
    over = region.uncrop(picture_bgr, workspace, "picture")[bounds]
    mix(region.cut(frame_bgr)[bounds], over, None if region.mask is None else region.mask[bounds], strength, workspace)


def mix(
    below_bgr: NDArray[np.uint8],
    above_bgr: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    strength: float,
    workspace: Workspace,
) -> None:
    """Lay a picture over another one, in place; both are (H, W, C) uint8. `above_bgr` is overwritten.

    Args:
        mask: (H, W) uint8; None for everywhere.
        strength: 0..1, multiplies the mask.
    """
    if mask is None:
        cv2.addWeighted(above_bgr, strength, below_bgr, 1.0 - strength, 0.0, dst=below_bgr)
        return
    if strength < 1.0:
        mask = cv2.convertScaleAbs(mask, dst=workspace.array("scaled mask", mask.shape), alpha=strength)  # type: ignore[assignment]
    weight = cv2.merge([mask] * above_bgr.shape[2], dst=workspace.array("weight", above_bgr.shape))
    cv2.multiply(above_bgr, weight, dst=above_bgr, scale=1 / 255)
    cv2.bitwise_not(weight, dst=weight)
    cv2.multiply(below_bgr, weight, dst=below_bgr, scale=1 / 255)
    cv2.add(below_bgr, above_bgr, dst=below_bgr)


def mask_bounds(region: PictureRegion) -> tuple[slice, slice] | None:
    """Return the part of the inner box where the mask is not 0, to save time; None if it is 0 everywhere."""
    if region.mask is None:
        return slice(None), slice(None)
    x, y, width, height = cv2.boundingRect(region.mask)
    return (slice(y, y + height), slice(x, x + width)) if width else None


def as_picture(output_bgr: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return a network's output, (h, w, 3) in steps of 1/255, as uint8: rounded, half up, and saturated."""
    steps = output_bgr + np.float32(0.5)
    return np.clip(steps, 0, 255, out=steps).astype(np.uint8)
