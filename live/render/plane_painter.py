"""Draws planes onto a frame: those of the whole frame, with the finer ones of each head laid over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.drawing import DrawnFace, draw
from engines.drawing.medium import Medium
from engines.drawing.plane_set import HAIR, Planes, planes_of
from engines.regions.masks import crop_of_mask, head_vignette
from engines.regions.upright import PictureRegion
from engines.regions.workspace import Workspace
from live.pipeline.frame import ImageU8
from live.render.blending import mask_bounds, mix

_STEP_PX = 16  # the drawn area is a multiple, so that the work arrays keep their sizes


@dataclass(frozen=True, slots=True, eq=False)
class PlaneRegion:
    """One region with the network's output for it.

    Attributes:
        output: (h, w, 12) float32, see `planes_of`.
        is_head: Whether it is the finer one, which fades out at its border.
    """

    region: PictureRegion
    output: NDArray[np.float32]
    is_head: bool


def draw_planes(
    frame_bgr: ImageU8,
    regions: Sequence[PlaneRegion],
    faces: Sequence[DrawnFace],
    medium: Medium,
    strength: float,
    *,
    person: ImageU8 | None = None,
    workspace: Workspace | None = None,
) -> None:
    """Draw onto a frame, in place, through the regions' masks.

    The planes of heads are mixed with those of the whole frame before they become tones and lines, so that there is no
    visible border between head and body.

    Args:
        frame_bgr: (H, W, 3) uint8.
        regions: The whole frame's at most once, and heads.
        faces: With landmarks in pixels of the frame.
        strength: 0..1; below 1 the result is mixed with the frame.
        person: (h, w) uint8 at any size: confidence of a person in the whole frame.
        workspace: For intermediate arrays.
    """
    workspace = workspace or Workspace()
    whole = [one for one in regions if not one.is_head]
    heads = [one for one in regions if one.is_head]
    for below, above in [(whole[0], heads)] if whole else [(head, []) for head in heads]:
        area = _area(below.region)
        if area is not None:
            planes = _planes_in(area, below, medium, workspace)
            if not below.is_head:  # far from a face hair is mistaken
                cv2.insertChannel(np.zeros(planes.fields.shape[:2], np.uint8), planes.fields, HAIR)
            for head in above:
                _lay_over(planes, area, head, medium, workspace)
            offset = np.array(area[:2], np.float32)
            shown = [replace(face, landmarks_xy=face.landmarks_xy - offset) for face in faces]
            part = None if person is None else crop_of_mask(person, area, below.region.frame_wh)
            picture_bgr = draw(planes, shown, medium, person=part, workspace=workspace)
            left, top, right, bottom = area
            mask = None if below.region.mask is None else below.region.mask[_within(area, below.region.inner)]
            mix(frame_bgr[top:bottom, left:right], picture_bgr, mask, strength, workspace)


def _area(region: PictureRegion) -> tuple[int, int, int, int] | None:
    """Return the part of the frame where a region's mask is not 0: left, top, right, bottom; None if there is none."""
    bounds = mask_bounds(region)
    if bounds is None:
        return None
    left, top, right, bottom = region.inner
    rows, columns = bounds
    if region.mask is not None:
        left, right = left + columns.start, left + columns.stop
        top, bottom = top + rows.start, top + rows.stop
        left, top = max(region.inner[0], left - left % _STEP_PX), max(region.inner[1], top - top % _STEP_PX)
        right, bottom = (
            min(region.inner[2], right + -right % _STEP_PX),
            min(region.inner[3], bottom + -bottom % _STEP_PX),
        )
    return left, top, right, bottom


def _within(area: tuple[int, int, int, int], outer: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """Return the slices of an area in an array that covers an outer one."""
    return slice(area[1] - outer[1], area[3] - outer[1]), slice(area[0] - outer[0], area[2] - outer[0])


def _planes_in(
    area: tuple[int, int, int, int], part: PlaneRegion, medium: Medium, workspace: Workspace, name: str = "below"
) -> Planes:
    """Return a region's planes in an area of the frame, at its resolution, in the medium's colours."""
    planes = planes_of(part.output)
    colour = np.asarray(cv2.transform(planes.colour, medium.mood), np.uint8)
    where = _within(area, part.region.inner)
    enlarged = (
        part.region.uncrop(one, workspace, f"{name} {kind}")[where]
        for kind, one in (("colour", colour), ("fields", planes.fields))
    )
    return Planes(*enlarged)


def _lay_over(
    planes: Planes, area: tuple[int, int, int, int], head: PlaneRegion, medium: Medium, workspace: Workspace
) -> None:
    """Mix a head's planes into those of an area, in place; they fade out at the border of the head's square."""
    inner = head.region.inner
    left, top = max(area[0], inner[0]), max(area[1], inner[1])
    right, bottom = min(area[2], inner[2]), min(area[3], inner[3])
    if right <= left or bottom <= top:
        return
    place = (left, top, right, bottom)
    finer = _planes_in(place, head, medium, workspace, "head")
    weight = head.region.uncrop(head_vignette(), workspace, "vignette")[_within(place, inner)]
    for below, above in ((planes.colour, finer.colour), (planes.fields, finer.fields)):
        mix(below[_within(place, area)], above, weight, 1.0, workspace)
