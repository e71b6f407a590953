"""Whether a style leaves alone what it should: the frame outside its mask."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.student import Student
from engines.regions.masks import region_mask
from engines.regions.upright import FRAME_REGIONS, PictureRegion, face_box, frame_box, in_frame
from engines.training.data.aligned import AlignedRegion
from live.render.blending import add_region_change, blend_picture

ImageU8 = NDArray[np.uint8]
_ROOM = 0.25  # of the region's side, set round it to all sides


def changed_outside(region: AlignedRegion, student: Student) -> int | None:
    """How many pixels outside the mask change when the style is painted onto a photo as live; 0 is right.

    The aligned region, with some room round it, is the frame; crop, mask and paste are the live program's own.
    None where nothing of the face lies in the frame.
    """
    style, room = student.style, round(_ROOM * region.rgb.shape[0])
    edges = (room, room, room, room, cv2.BORDER_REPLICATE)
    frame_bgr = np.asarray(cv2.copyMakeBorder(cv2.cvtColor(region.rgb, cv2.COLOR_RGB2BGR), *edges), np.uint8)
    person = np.asarray(cv2.copyMakeBorder(region.person, *edges), np.uint8)
    landmarks_xy = region.landmarks_xy + np.float32(room)
    frame_wh = (frame_bgr.shape[1], frame_bgr.shape[0])
    whole = style.region in FRAME_REGIONS
    box = frame_box(frame_wh, style.size_wh) if whole else face_box(landmarks_xy, style.region)
    if box is None or not in_frame(box, frame_wh):
        return None
    bare = PictureRegion(box, style.size_wh, frame_wh)
    mask = region_mask(bare, style.region, [landmarks_xy], person)
    place = PictureRegion(box, style.size_wh, frame_wh, mask)
    painted_bgr = frame_bgr.copy()
    paste = add_region_change if style.output == "change" else blend_picture
    paste(painted_bgr, place, student.answer_bgr(place.crop(frame_bgr)), 1.0)
    outside = np.ones(frame_bgr.shape[:2], bool)
    left, top, right, bottom = place.inner
    outside[top:bottom, left:right] = False if mask is None else mask == 0
    return int((painted_bgr != frame_bgr).any(2)[outside].sum())
