"""Masks of picture regions: person and face, without a visible border of the region."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import Floats, ImageU8
from engines.regions.upright import FACE_OVAL, PictureRegion
from engines.regions.workspace import Workspace

_SIDE_PX = 192  # masks are computed at this size: they are soft, and blurring at frame size takes milliseconds
_FACE_SIDE_PX = 96  # face masks are softer


def region_mask(
    region: PictureRegion,
    kind: str,
    faces_xy: Sequence[Floats],
    person: ImageU8 | None,
    *,
    workspace: Workspace | None = None,
    name: str = "mask",
) -> ImageU8 | None:
    """Return the mask of a region.

    Args:
        kind: "face" (outline of the face, soft), "head" (person and face, fading out at the border of the square),
            "person" (person and faces), "square" (all of it, fading out at the border) or "frame" (everywhere).
        faces_xy: Landmarks of the faces, each (478, 2) float32 frame pixels. Faces are in the mask also where no person
            was segmented.
        person: (H, W) uint8, 0..255, at any size: probability of a person in the whole frame; None if unknown.
        workspace: Holds the mask; None to allocate it.
        name: Name of the mask in the workspace.

    Returns:
        (inner height, inner width) uint8, 0..255; None for everywhere.
    """
    if kind == "frame" or (kind == "person" and person is None):
        return None
    left, top, right, bottom = region.box
    scale = (_FACE_SIDE_PX if kind == "face" else _SIDE_PX) / max(right - left, bottom - top)
    size_wh = max(2, round(scale * (right - left))), max(2, round(scale * (bottom - top)))
    if kind == "face":
        mask = _face_mask(region, faces_xy[:1], size_wh, spread=0.02, covering=False)
    else:
        everywhere = person is None or kind == "square"
        mask = np.full((size_wh[1], size_wh[0]), 255, np.uint8)
        if person is not None and not everywhere:
            mask = _person_mask(person, region, size_wh)
        mask = np.maximum(mask, _face_mask(region, faces_xy, size_wh, spread=0.008, covering=True))
    if kind in ("head", "square"):
        mask = cv2.multiply(mask, _vignette(size_wh), scale=1 / 255)  # type: ignore[assignment]
    return np.asarray(region.uncrop(mask, workspace, name), np.uint8)


def crop_of_mask(person: ImageU8, area: tuple[int, int, int, int], frame_wh: tuple[int, int]) -> ImageU8:
    """Return the part of a frame's mask (h, w) uint8 that covers an area, at about the mask's own resolution.

    Args:
        area: Left, top, right, bottom in frame pixels, inside the frame.
    """
    left, top, right, bottom = area
    x_scale, y_scale = person.shape[1] / frame_wh[0], person.shape[0] / frame_wh[1]
    size_wh = max(2, round((right - left) * x_scale)), max(2, round((bottom - top) * y_scale))
    x_step, y_step = (right - left) * x_scale / size_wh[0], (bottom - top) * y_scale / size_wh[1]
    matrix = np.array(
        [[x_step, 0, left * x_scale + 0.5 * x_step - 0.5], [0, y_step, top * y_scale + 0.5 * y_step - 0.5]]
    )
    return cv2.warpAffine(  # type: ignore[return-value]
        person, matrix, size_wh, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def head_vignette(side_px: int) -> ImageU8:
    """Return the weight of a head's square, which fades to 0 at its border, (side_px, side_px) uint8."""
    return _vignette((side_px, side_px))


def _person_mask(person: ImageU8, region: PictureRegion, size_wh: tuple[int, int]) -> ImageU8:
    """Return the frame's person mask in the region, (size_wh[1], size_wh[0]) uint8, with a steeper edge."""
    left, top, right, bottom = region.box
    to_small = person.shape[1] / region.frame_wh[0], person.shape[0] / region.frame_wh[1]
    step_x, step_y = (right - left) / size_wh[0], (bottom - top) / size_wh[1]
    matrix = np.array(
        [
            [step_x * to_small[0], 0, (left + 0.5 * step_x) * to_small[0] - 0.5],
            [0, step_y * to_small[1], (top + 0.5 * step_y) * to_small[1] - 0.5],
        ]
    )
    how = cv2.INTER_LINEAR if min(step_x * to_small[0], step_y * to_small[1]) > 1 else cv2.INTER_CUBIC
    soft = cv2.warpAffine(person, matrix, size_wh, flags=how | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return cv2.LUT(soft, _steep_edge())  # type: ignore[return-value]


@cache
def _steep_edge() -> NDArray[np.uint8]:
    """Return a look-up table that steepens the edge of a person mask and narrows it slightly."""
    part = np.clip((np.arange(256) / 255 - 0.35) / 0.45, 0, 1)
    return np.asarray(np.rint(255 * part * part * (3 - 2 * part)), np.uint8)


def _face_mask(
    region: PictureRegion, faces_xy: Sequence[Floats], size_wh: tuple[int, int], spread: float, *, covering: bool
) -> ImageU8:
    """Return the filled outlines of the faces, blurred by a part `spread` of the region; covering: only outwards."""
    soft_px = max(0.8, spread * max(size_wh))
    left, top, right, bottom = region.box
    scale = np.array([size_wh[0] / (right - left), size_wh[1] / (bottom - top)])
    mask = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    for landmarks_xy in faces_xy:
        outline = ((landmarks_xy[FACE_OVAL] - (left, top)) * scale - 0.5) * 16
        if np.isfinite(outline).all():
            points = np.rint(outline).astype(np.int32)
            cv2.fillPoly(mask, [points], (255,), cv2.LINE_AA, 4)
            if covering:
                cv2.polylines(mask, [points], True, (255,), max(1, round(4 * soft_px)), cv2.LINE_AA, 4)
    return cv2.GaussianBlur(mask, (0, 0), soft_px)  # type: ignore[return-value]


@cache
def _vignette(size_wh: tuple[int, int]) -> ImageU8:
    """Return a square with round corners that fades to 0 at the border, (size_wh[1], size_wh[0]) uint8."""
    x, y = np.meshgrid(np.linspace(-1, 1, size_wh[0]), np.linspace(-1, 1, size_wh[1]))
    part = np.clip((1.0 - (np.abs(x) ** 4 + np.abs(y) ** 4) ** 0.25) / 0.16, 0, 1)
    return np.asarray(np.rint(255 * part * part * (3 - 2 * part)), np.uint8)
