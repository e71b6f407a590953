"""Where a picture style paints: the person, the face in any case, and never with a visible end of the region."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import Floats, ImageU8
from engines.regions.upright import FACE_OVAL, PictureRegion
from engines.regions.workspace import Workspace

_SIDE = 192  # masks are made at this size: they are soft, and a frame-sized blur costs milliseconds
_SOFT_SIDE = 96  # the softest ones at this


def region_mask(
    region: PictureRegion,
    kind: str,
    faces_xy: Sequence[Floats],
    person: ImageU8 | None,
    *,
    workspace: Workspace | None = None,
    name: str = "mask",
) -> ImageU8 | None:
    """(inner height, inner width) uint8, or None for everywhere.

    Args:
        region: where.
        kind: "face" (the face's outline, soft), "head" (person and face, soft at the square's rim), "person" (person
            and faces), "frame" (everywhere).
        faces_xy: landmarks in frame pixels, (478, 2) each; a face is painted even where no person was seen.
        person: how surely a pixel of the whole frame shows a person, uint8 at any size; None if nobody looked.
        scratch: the mask lies in its array of that `name`; None for one of its own.
    """
    if kind == "frame" or (kind == "person" and person is None):
        return None
    left, top, right, bottom = region.box
    scale = (_SOFT_SIDE if kind == "face" else _SIDE) / max(right - left, bottom - top)
    size_wh = max(2, round(scale * (right - left))), max(2, round(scale * (bottom - top)))
    if kind == "face":
        mask = _faces(region, faces_xy[:1], size_wh, spread=0.02, covering=False)
    else:
        mask = np.zeros((size_wh[1], size_wh[0]), np.uint8) if person is None else _cut(person, region, size_wh)
        if person is None:
            mask[:] = 255
        mask = np.maximum(mask, _faces(region, faces_xy, size_wh, spread=0.008, covering=True))
    if kind == "head":
        mask = cv2.multiply(mask, _vignette(size_wh), scale=1 / 255)  # type: ignore[assignment]
    return np.asarray(region.uncrop(mask, workspace, name), np.uint8)


def _cut(person: ImageU8, region: PictureRegion, size_wh: tuple[int, int]) -> ImageU8:
    """The frame's person mask in the region, with a firm edge."""
    left, top, right, bottom = region.box
    to_small = person.shape[1] / region.frame_wh[0], person.shape[0] / region.frame_wh[1]
    step_x, step_y = (right - left) / size_wh[0], (bottom - top) / size_wh[1]
    matrix = np.array(
        [
            [step_x * to_small[0], 0, (left + 0.5 * step_x) * to_small[0] - 0.5],
            [0, step_y * to_small[1], (top + 0.5 * step_y) * to_small[1] - 0.5],
        ]
    )
    soft = cv2.warpAffine(
        person, matrix, size_wh, flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    return cv2.LUT(soft, _firm())  # type: ignore[return-value]


@cache
def _firm() -> NDArray[np.uint8]:
    """A person's mask from unsure to sure within a few pixels; the model's rim is a little too wide."""
    part = np.clip((np.arange(256) / 255 - 0.35) / 0.45, 0, 1)
    return np.asarray(np.rint(255 * part * part * (3 - 2 * part)), np.uint8)


def _faces(
    region: PictureRegion, faces_xy: Sequence[Floats], size_wh: tuple[int, int], spread: float, *, covering: bool
) -> ImageU8:
    """The faces' outlines, soft by `spread` of the region; covering: soft beyond the face only."""
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
    """Full in the middle, nothing at the rim: a square with round corners, so that a head's drawing fades out."""
    x, y = np.meshgrid(np.linspace(-1, 1, size_wh[0]), np.linspace(-1, 1, size_wh[1]))
    part = np.clip((1.0 - (np.abs(x) ** 4 + np.abs(y) ** 4) ** 0.25) / 0.16, 0, 1)
    return np.asarray(np.rint(255 * part * part * (3 - 2 * part)), np.uint8)
