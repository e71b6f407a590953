"""Mask leakage: pixels that a style changes outside its mask."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from calibration.evaluation.student import ImageU8, Student
from engines.drawing.medium import MEDIA
from engines.drawing.plane_set import planes_of
from engines.regions.masks import region_mask
from engines.regions.upright import picture_region
from engines.training.data.aligned import AlignedRegion
from live.render.blending import add_region_change, as_picture, blend_picture
from live.render.plane_painter import draw_planes
from live.render.plane_regions import PlaneRegion

_BORDER = 0.25  # of the region's side, added on all sides


def changed_outside(region: AlignedRegion, student: Student) -> int | None:
    """Count the pixels outside the mask that change when the style is applied as in live use; 0 is correct.

    The aligned region with a border around it serves as the frame. Returns None if the face is not in the frame.
    """
    style, border_px = student.style, round(_BORDER * region.rgb.shape[0])

    def pad(image: ImageU8) -> ImageU8:
        return np.asarray(cv2.copyMakeBorder(image, *(border_px,) * 4, cv2.BORDER_REPLICATE), np.uint8)

    frame_bgr, person = pad(np.ascontiguousarray(region.rgb[:, :, ::-1])), pad(region.person)
    landmarks_xy = region.landmarks_xy + np.float32(border_px)
    unmasked = picture_region(style.region, landmarks_xy, style.size_wh, (frame_bgr.shape[1], frame_bgr.shape[0]))
    if unmasked is None:
        return None
    mask = region_mask(unmasked, style.mask_kind, [landmarks_xy], person)
    place = replace(unmasked, mask=mask)
    painted_bgr = frame_bgr.copy()
    output = student.infer_bgr(place.crop(frame_bgr))
    if style.output == "planes":
        draw_planes(
            painted_bgr, [PlaneRegion(place, planes_of(output), is_head=True)], [], MEDIA["cel"], 1.0, person=person
        )
    elif style.output == "change":
        add_region_change(painted_bgr, place, output, 1.0)
    else:
        blend_picture(painted_bgr, place, as_picture(output), 1.0)
    outside = np.ones(frame_bgr.shape[:2], bool)
    left, top, right, bottom = place.inner
    outside[top:bottom, left:right] = False if mask is None else mask == 0
    return int((painted_bgr != frame_bgr).any(2)[outside].sum())
