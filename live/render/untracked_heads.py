"""Heads whose faces are not tracked: a body layer keeps too much of their photo, so they are blurred first."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from engines.regions.workspace import Workspace
from live.pipeline.frame import Face, Head, ImageU8
from live.render.blending import mix
from live.tracking.person_views import add_head
from live.tracking.seen_heads import head_of

_FACE_PX = 5  # that remain across a face: skin and hair are told apart, persons are not
_REACH = 1.0  # half the side of the blurred square in face sizes
_SOFT = 0.08  # standard deviation of its edge in face sizes


def blur_heads(frame_bgr: ImageU8, heads: Sequence[Head], faces: Sequence[Face], strength: float) -> None:
    """Blur heads, in place, except where tracked faces have theirs.

    Args:
        frame_bgr: (H, W, 3) uint8.
        heads: See `TrackedFrame`.
        faces: The tracked ones.
        strength: 0..1.
    """
    height, width = frame_bgr.shape[:2]
    tracked = [head_of(face.landmarks_xy) for face in faces]
    for (x, y), size_px in heads:
        reach = _REACH * size_px
        left, right = (int(min(max(0.0, edge), width)) for edge in (x - reach, x + reach))
        top, bottom = (int(min(max(0.0, edge), height)) for edge in (y - reach, y + reach))
        part, part_wh = frame_bgr[top:bottom, left:right], (right - left, bottom - top)
        if min(part_wh) < 2:
            continue
        mask, own = np.zeros(part.shape[:2], np.uint8), np.zeros(part.shape[:2], np.uint8)
        add_head(mask, (x - left, y - top), size_px * (1 + _SOFT), part_wh)
        for at_xy, face_px in tracked:
            add_head(own, (at_xy[0] - left, at_xy[1] - top), face_px, part_wh)
        mask = cv2.subtract(cv2.GaussianBlur(mask, (0, 0), max(1.0, _SOFT * size_px)), own)  # type: ignore[assignment]
        few_wh = [max(2, round(_FACE_PX * side / size_px)) for side in part_wh]
        few = cv2.resize(part, few_wh, interpolation=cv2.INTER_AREA)
        mix(part, np.asarray(cv2.resize(few, part_wh, interpolation=cv2.INTER_CUBIC)), mask, strength, Workspace())
