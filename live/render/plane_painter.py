"""Draws planes onto a frame: those of the whole frame, with the finer ones of each head laid over them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from engines.drawing.drawing import DrawnFace, draw, persons_with_faces, put_on_paper
from engines.drawing.features import draw_features
from engines.drawing.hands import draw_hands
from engines.drawing.medium import Medium
from engines.drawing.plane_set import Planes
from engines.drawing.strokes import Points
from engines.regions.masks import crop_of_mask
from engines.regions.upright import PictureRegion
from engines.regions.workspace import Workspace
from live.pipeline.frame import ImageU8
from live.render.blending import mask_bounds, mix
from live.render.plane_regions import (
    Box,
    PlaneRegion,
    head_weight,
    overlap,
    planes_of_area,
    reduced,
    within,
)

_LEAST_PITCH_PX = 8.0  # of halftone dots in the frame, so that heads drawn at full and at half size have the same
_STEP_PX = 16  # the drawn area is a multiple, so that the work arrays keep their sizes


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

    The planes of heads are laid over those of the whole frame with a wide soft border, so that there is no visible
    border between head and body. Heads of at most 480 pixels in a larger frame are drawn at its full resolution, and
    their drawings are laid over that of the frame.

    Args:
        frame_bgr: (H, W, 3) uint8.
        regions: The whole frame's at most once, and heads.
        faces: With landmarks in pixels of the frame.
        strength: 0..1; below 1 the result is mixed with the frame.
        person: (h, w) uint8 at any size: confidence of a person in the whole frame.
        workspace: For intermediate arrays.
    """
    sheet = _Sheet(frame_bgr, faces, medium, person, workspace or Workspace())
    parts = [one.prepared(medium, faces) for one in regions]
    whole = next((one for one in parts if not one.is_head), None)
    heads = [one for one in parts if one.is_head]
    for below in [whole] if whole else heads:
        area = _area(below.region)
        if area is None:
            continue
        mask = None if below.region.mask is None else below.region.mask[within(area, below.region.inner)]
        picture_bgr, part_bgr = sheet.drawn(area, mask, below, heads if whole else []), _cut(frame_bgr, area)
        for face in faces:
            sheet.draw_face(picture_bgr, face, area)
        put_on_paper(picture_bgr, medium, area[:2], mask)
        if strength < 1.0:
            cv2.addWeighted(picture_bgr, strength, part_bgr, 1.0 - strength, 0.0, dst=picture_bgr)
        if mask is None:
            part_bgr[:] = picture_bgr
        else:
            cv2.copyTo(picture_bgr, mask, part_bgr)


class _Sheet:
    """What the drawings of one frame share."""

    def __init__(
        self,
        frame_bgr: ImageU8,
        faces: Sequence[DrawnFace],
        medium: Medium,
        person: ImageU8 | None,
        workspace: Workspace,
    ) -> None:
        self.frame_bgr, self.medium, self.workspace = frame_bgr, medium, workspace
        self.frame_wh = frame_bgr.shape[1], frame_bgr.shape[0]
        self.person = None if person is None else persons_with_faces(person, faces, self.frame_wh)
        sizes_px = [face.face_px for face in faces]
        self.face_px = float(np.mean(sizes_px)) if sizes_px else 0.25 * self.frame_wh[1]

    def drawn(self, area: Box, mask: ImageU8 | None, below: PlaneRegion, heads: Sequence[PlaneRegion]) -> ImageU8:
        """Return an area of the frame with the drawing laid over it, but without eyes and mouths.

        Large planes are drawn at half the frame's resolution: they are enlarged in any case, so no sharpness is lost.

        Args:
            mask: (h, w) uint8 of the area; None for everywhere.
            below: the region that covers the area.
            heads: finer ones that lie over it.
        """
        wh = area[2] - area[0], area[3] - area[1]
        scale = 2 if below.is_large and not (wh[0] % 2 or wh[1] % 2) else 1
        photo = reduced(_cut(self.frame_bgr, area), scale, self.workspace, "photo")
        fine = [head for head in heads if scale > 1 and not head.is_large]
        guide = self.medium.muted(photo)
        planes = planes_of_area(below, area, guide, self.workspace)
        self._refine(planes, [head for head in heads if head not in fine], guide, area, scale)
        mix(
            photo,
            self._draw(planes, area, scale),
            None if mask is None else reduced(mask, scale, self.workspace, "small mask"),
            1.0,
            self.workspace,
        )
        picture = self.workspace.array("drawn", (wh[1], wh[0], 3))
        cv2.resize(photo, wh, dst=picture, interpolation=cv2.INTER_LINEAR)
        self._lay(fine, picture, area, mask)
        return picture

    def draw_face(self, picture_bgr: ImageU8, face: DrawnFace, area: Box) -> None:
        """Draw the features of a face, and the hands before it, on the picture of an area, in place."""
        landmarks_xy: Points = face.landmarks_xy - np.array(area[:2], np.float32)
        without_bgr = picture_bgr.copy() if face.hands else picture_bgr
        draw_features(picture_bgr, landmarks_xy, face.measures, self.medium)
        if face.hands:
            person = None if self.person is None else crop_of_mask(self.person, area, self.frame_wh)
            hands = [hand - np.array((*area[:2], 0), np.float32) for hand in face.hands]
            draw_hands(picture_bgr, without_bgr, hands, landmarks_xy, face.face_px, self.medium, person=person)

    def _refine(self, planes: Planes, heads: Sequence[PlaneRegion], photo_bgr: ImageU8, area: Box, scale: int) -> None:
        """Lay the planes of heads over those of an area, in place, at the size of its photo."""
        finer = self.workspace.part("heads")
        for head in heads:
            if place := overlap(area, head.region.inner):
                there = within(place, area, scale)
                over, weight = planes_of_area(head, place, photo_bgr[there], finer), head_weight(head, place, scale)
                mix(planes.colour[there], over.colour, weight, 1.0, finer)
                mix(planes.fields[there], over.fields, weight, 1.0, finer)

    def _lay(self, heads: Sequence[PlaneRegion], picture_bgr: ImageU8, area: Box, mask: ImageU8 | None) -> None:
        """Lay the drawings of heads over that of an area, in place, at the frame's resolution."""
        for head in heads:
            if place := overlap(area, head.region.inner):
                there = within(place, area)
                weight = head_weight(head, place, 1)
                if mask is not None:
                    weight = np.asarray(cv2.multiply(weight, mask[there], scale=1 / 255), np.uint8)
                planes = planes_of_area(head, place, self.medium.muted(_cut(self.frame_bgr, place)), self.workspace)
                mix(picture_bgr[there], self._draw(planes, place, 1), weight, 1.0, self.workspace)

    def _draw(self, planes: Planes, area: Box, scale: int) -> ImageU8:
        """Return the drawing of the planes of an area, at 1 / scale of the frame's resolution."""
        return draw(
            planes,
            self.medium,
            self.face_px / scale,
            person=None if self.person is None else crop_of_mask(self.person, area, self.frame_wh),
            origin_xy=(area[0] // scale, area[1] // scale),
            least_pitch_px=_LEAST_PITCH_PX / scale,
            workspace=self.workspace,
        )


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


def _cut(frame_bgr: ImageU8, area: Box) -> ImageU8:
    return frame_bgr[area[1] : area[3], area[0] : area[2]]
