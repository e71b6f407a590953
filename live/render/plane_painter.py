"""Draws planes onto a frame: those of the whole frame, with the finer ones of each head laid over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from engines.drawing.drawing import DrawnFace, draw
from engines.drawing.medium import Medium
from engines.drawing.plane_set import HAIR, Planes
from engines.regions.masks import crop_of_mask, head_vignette
from engines.regions.upright import PictureRegion
from engines.regions.workspace import Workspace
from live.pipeline.frame import ImageU8
from live.render.blending import mask_bounds, mix

Box = tuple[int, int, int, int]  # left, top, right, bottom in frame pixels

_STEP_PX = 16  # the drawn area is a multiple, so that the work arrays keep their sizes


@dataclass(frozen=True, slots=True, eq=False)
class PlaneRegion:
    """One region with its planes, in the network's colours (RGB).

    Attributes:
        planes: See `planes_of`.
        is_head: Whether it is the finer one, which fades out at its border.
    """

    region: PictureRegion
    planes: Planes
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
            planes = _assembled(area, below, above, medium, workspace)
            offset = np.array(area[:2], np.float32)
            shown = [replace(face, landmarks_xy=face.landmarks_xy - offset) for face in faces]
            part = None if person is None else crop_of_mask(person, area, below.region.frame_wh)
            picture_bgr = draw(planes, shown, medium, person=part, origin_xy=area[:2], workspace=workspace)
            left, top, right, bottom = area
            mask = None if below.region.mask is None else below.region.mask[_within(area, below.region.inner)]
            mix(frame_bgr[top:bottom, left:right], picture_bgr, mask, strength, workspace)


def _area(region: PictureRegion) -> Box | None:
    """Return the part of the frame where a region's mask is not 0; None if there is none."""
    bounds = mask_bounds(region)
    if bounds is None:
        return None
    left, top, right, bottom = region.inner
    if region.mask is None:
        return region.inner
    rows, columns = bounds
    x, y, to_x, to_y = left + columns.start, top + rows.start, left + columns.stop, top + rows.stop
    x, y, to_x, to_y = x - x % _STEP_PX, y - y % _STEP_PX, to_x + -to_x % _STEP_PX, to_y + -to_y % _STEP_PX
    return max(left, x), max(top, y), min(right, to_x), min(bottom, to_y)


def _within(area: Box, outer: Box) -> tuple[slice, slice]:
    """Return the slices of an area in an array that covers an outer one."""
    return slice(area[1] - outer[1], area[3] - outer[1]), slice(area[0] - outer[0], area[2] - outer[0])


def _assembled(
    area: Box, below: PlaneRegion, heads: Sequence[PlaneRegion], medium: Medium, workspace: Workspace
) -> Planes:
    """Return the planes of an area at the frame's resolution, in the medium's colours, those of heads on top."""
    base = _coloured(below, medium)
    if not below.is_head:  # far from a face hair is mistaken
        cv2.insertChannel(np.zeros(base.fields.shape[:2], np.uint8), base.fields, HAIR)
    box = below.region.box
    layers = [_enlarged(one, box, area, workspace, f"plane {index}") for index, one in enumerate(_arrays(base))]
    for head in heads:
        inner = head.region.inner
        left, top = max(area[0], inner[0]), max(area[1], inner[1])
        right, bottom = min(area[2], inner[2]), min(area[3], inner[3])
        if right > left and bottom > top:
            place, head_box = (left, top, right, bottom), head.region.box
            for index, (one, under) in enumerate(zip(_arrays(_coloured(head, medium)), _arrays(base), strict=True)):
                mixed = _faded_in(one, head_box, under, box)
                finer = _enlarged(mixed, head_box, place, workspace, f"head plane {index}")
                layers[index][_within(place, area)] = finer
    return Planes(*layers)


def _coloured(part: PlaneRegion, medium: Medium) -> Planes:
    return Planes(np.asarray(cv2.transform(part.planes.colour, medium.mood), np.uint8), part.planes.fields)


def _arrays(planes: Planes) -> tuple[ImageU8, ImageU8]:
    return planes.colour, planes.fields


def _faded_in(head: ImageU8, head_box: Box, under: ImageU8, under_box: Box) -> ImageU8:
    """Return a head's plane that equals the plane of the whole frame at the border of the head's square."""
    side_px = head.shape[0]
    step = (head_box[2] - head_box[0]) / side_px
    x_scale, y_scale = under.shape[1] / (under_box[2] - under_box[0]), under.shape[0] / (under_box[3] - under_box[1])
    x, y = head_box[0] - under_box[0] + 0.5 * step, head_box[1] - under_box[1] + 0.5 * step
    matrix = np.array([[step * x_scale, 0, x * x_scale - 0.5], [0, step * y_scale, y * y_scale - 0.5]])
    same = cv2.warpAffine(
        under,
        matrix,
        (side_px, side_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    mixed = np.asarray(same, np.uint8)
    mix(mixed, head, head_vignette(side_px), 1.0, Workspace())
    return mixed


def _enlarged(plane: ImageU8, box: Box, area: Box, workspace: Workspace, name: str) -> ImageU8:
    """Return what a plane that covers a box shows in an area inside it, at the frame's resolution."""
    ranges = []
    for axis in (0, 1):
        size, low = plane.shape[1 - axis], box[axis]
        step = (box[axis + 2] - low) / size
        first = max(0, int((area[axis] - low) / step) - 2)
        last = min(size, math.ceil((area[axis + 2] - low) / step) + 2)
        ranges.append((first, last, low + round(first * step), low + round(last * step)))
    (x, to_x, left, right), (y, to_y, top, bottom) = ranges
    whole = workspace.array(name, (bottom - top, right - left, plane.shape[2]))
    cv2.resize(plane[y:to_y, x:to_x], (right - left, bottom - top), dst=whole, interpolation=cv2.INTER_CUBIC)
    return np.asarray(whole[_within(area, (left, top, right, bottom))], np.uint8)
