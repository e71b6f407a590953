"""Regions with their planes: those of the whole frame, and the finer ones of heads that lie over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from engines.drawing.drawing import DrawnFace
from engines.drawing.guided_enlargement import guided_enlargement
from engines.drawing.ink_parts import shade_and_ink
from engines.drawing.medium import Medium
from engines.drawing.plane_set import Planes
from engines.regions.masks import head_vignette
from engines.regions.upright import PictureRegion
from engines.regions.workspace import Workspace
from live.pipeline.frame import ImageU8

Box = tuple[int, int, int, int]  # left, top, right, bottom in frame pixels

_FINE_PX = 480  # planes of larger boxes are drawn at half the frame's resolution, except for eyes and mouths


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

    @property
    def is_large(self) -> bool:
        """Whether its planes are drawn at half the frame's resolution."""
        left, top, right, bottom = self.region.box
        return min(right - left, bottom - top) > _FINE_PX

    def prepared(self, medium: Medium, faces: Sequence[DrawnFace]) -> PlaneRegion:
        """Return the region as the medium draws it: its colours in BGR, its fields (H, W, 2) shade and ink."""
        colour, fields = np.asarray(cv2.transform(self.planes.colour, medium.mood), np.uint8), self.planes.fields
        scale = np.array(fields.shape[1::-1]) / self.region.size_wh
        faces_xy = [self.region.landmarks(face.landmarks_xy) * scale for face in faces]
        fields = shade_and_ink(fields, faces_xy, medium, hair=self.is_head)  # far from a face hair is mistaken
        return replace(self, planes=Planes(colour, fields))


def planes_of_area(part: PlaneRegion, area: Box, photo_bgr: ImageU8, workspace: Workspace) -> Planes:
    """Return the planes of an area inside a region at the size of its photo.

    Args:
        part: As `prepared`.
        area: Inside the region's box.
        photo_bgr: (H, W, 3) uint8 of the area: its borders are the colours' borders.
        workspace: For intermediate arrays; the planes are two of them.
    """
    box = part.region.box
    side = [(area[at + 2] - area[at]) * part.planes.colour.shape[1 - at] / (box[at + 2] - box[at]) for at in (0, 1)]
    small_wh = max(2, round(side[0])), max(2, round(side[1]))
    colour = _resampled(part.planes.colour, box, area, small_wh, workspace, "small colour")
    return Planes(
        guided_enlargement(colour, photo_bgr, workspace, is_coarse=not part.is_head),
        _resampled(part.planes.fields, box, area, (photo_bgr.shape[1], photo_bgr.shape[0]), workspace, "fields"),
    )


def head_weight(part: PlaneRegion, place: Box, scale: int) -> ImageU8:
    """Return the weight of a head's planes in a place inside its region, at 1 / scale of the frame's size."""
    left, top, right, bottom = part.region.box
    size_wh = (right - left) // scale, (bottom - top) // scale
    weight = cv2.resize(head_vignette(part.region.size_wh[0]), size_wh)
    return np.asarray(weight[within(place, part.region.box, scale)], np.uint8)


def reduced(picture: ImageU8, scale: int, workspace: Workspace, name: str) -> ImageU8:
    """Return a copy of a picture, (H // scale, W // scale, ...) uint8, in the workspace under a name."""
    copy = workspace.array(name, (picture.shape[0] // scale, picture.shape[1] // scale, *picture.shape[2:]))
    cv2.resize(picture, copy.shape[1::-1], dst=copy, interpolation=cv2.INTER_AREA)
    return np.asarray(copy, np.uint8)


def overlap(one: Box, other: Box) -> Box | None:
    """Return the area of two boxes between even coordinates; None if it is empty."""
    left, top = (2 * (-(-max(one[side], other[side]) // 2)) for side in (0, 1))
    right, bottom = (2 * (min(one[side], other[side]) // 2) for side in (2, 3))
    return (left, top, right, bottom) if right > left and bottom > top else None


def within(area: Box, outer: Box, scale: int = 1) -> tuple[slice, slice]:
    """Return the slices of an area in an array that covers an outer one, reduced by a scale."""
    left, top, right, bottom = ((area[side] - outer[side % 2]) // scale for side in range(4))
    return slice(top, bottom), slice(left, right)


def _resampled(
    plane: ImageU8, box: Box, area: Box, size_wh: tuple[int, int], workspace: Workspace, name: str
) -> ImageU8:
    """Return what a plane that covers a box shows in an area inside it, (size_wh[1], size_wh[0], C) uint8."""
    ranges = []
    for axis in (0, 1):
        count, low = plane.shape[1 - axis], box[axis]
        step, scale = (box[axis + 2] - low) / count, size_wh[axis] / (area[axis + 2] - area[axis])
        first = max(0, int((area[axis] - low) / step) - 2)
        last = min(count, math.ceil((area[axis + 2] - low) / step) + 2)
        start, stop = (round((low + edge * step - area[axis]) * scale) for edge in (first, last))
        ranges.append((first, last, start, max(stop, size_wh[axis])))
    (x, to_x, left, right), (y, to_y, top, bottom) = ranges
    whole = workspace.array(name, (bottom - top, right - left, plane.shape[2]))
    channels = cv2.split(plane[y:to_y, x:to_x])  # one by one in a fraction of the time
    enlarged = [cv2.resize(one, (right - left, bottom - top), interpolation=cv2.INTER_CUBIC) for one in channels]
    cv2.merge(enlarged, dst=whole)
    return np.asarray(whole[-top : size_wh[1] - top, -left : size_wh[0] - left], np.uint8)
