"""Pixels that show a person and that a covering look does not draw."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from engines.regions.upright import FACE_OVAL, PictureRegion
from live.pipeline.frame import Face, ImageU8
from live.render.privacy_fallback import blurred
from live.tracking.person_views import add_chest, add_head
from live.tracking.seen_heads import head_of

_LONG_SIDE_PX = 512  # bare pixels are found at this size at most: their edges are soft


def bare_pixels(
    frame_wh: tuple[int, int],
    person: ImageU8 | None,
    faces: Sequence[Face],
    drawn: Sequence[PictureRegion],
    *,
    whole: Sequence[Face] = (),
) -> ImageU8:
    """Return where a person is seen and not drawn.

    Args:
        frame_wh: The frame's size.
        person: See `TrackedFrame`; None for the faces alone.
        faces: The tracked faces; their outlines show a person, whatever the mask says.
        drawn: The regions that were drawn, with their masks.
        whole: Faces that show their head with its hair, and their shoulders, also where the mask does not.

    Returns:
        (h, w) uint8, 0..255, at a smaller size than the frame's.
    """
    scale = min(1.0, _LONG_SIDE_PX / max(frame_wh))
    size_wh = max(2, round(frame_wh[0] * scale)), max(2, round(frame_wh[1] * scale))
    bare = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    if person is not None:
        bare = cv2.resize(person, size_wh, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    for face in faces:
        outline = np.rint(face.landmarks_xy[FACE_OVAL] * scale).astype(np.int32)
        cv2.fillPoly(bare, [outline], (255,), cv2.LINE_AA)
    for face in whole:
        for add in (add_head, add_chest):
            add(bare, *head_of(face.landmarks_xy), frame_wh)
    covered = np.zeros_like(bare)
    for region in drawn:
        left, top, right, bottom = (round(edge * scale) for edge in region.inner)
        if right > left and bottom > top:
            part = covered[top:bottom, left:right]
            mask = region.mask if region.mask is not None else np.full((1, 1), 255, np.uint8)
            cv2.max(part, cv2.resize(mask, part.shape[1::-1], interpolation=cv2.INTER_AREA), dst=part)
    return cv2.multiply(_certain(bare), cv2.bitwise_not(covered), scale=1 / 255)  # type: ignore[return-value]


def blur_where(frame_bgr: ImageU8, bare: ImageU8, strength: float) -> None:
    """Blur the frame, in place, through a mask of a smaller size."""
    if not cv2.countNonZero(bare):
        return
    height, width = frame_bgr.shape[:2]
    step_x, step_y = width / bare.shape[1], height / bare.shape[0]
    x, y, across, down = cv2.boundingRect(bare)
    left, top = max(0, int((x - 1) * step_x)), max(0, int((y - 1) * step_y))
    right, bottom = min(width, round((x + across + 1) * step_x)), min(height, round((y + down + 1) * step_y))
    whole = cv2.resize(bare, (width, height), interpolation=cv2.INTER_LINEAR)[top:bottom, left:right]
    weight = whole[:, :, None].astype(np.float32) * np.float32(strength / 255)
    part = frame_bgr[top:bottom, left:right]
    part[:] = np.rint(part + (blurred(frame_bgr)[top:bottom, left:right] - part.astype(np.float32)) * weight)


def _certain(person: ImageU8) -> ImageU8:
    """Return the mask with a steeper edge: 0 below 0.3, 1 above 0.6."""
    return cv2.convertScaleAbs(cv2.subtract(person, (76,)), alpha=255 / 77)  # type: ignore[return-value, call-overload]
