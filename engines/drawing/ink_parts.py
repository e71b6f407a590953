"""How much ink is drawn: strands of hair, creases of skin and folds of clothes are dark tones rather than lines."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.medium import Medium
from engines.drawing.mixing import mixed
from engines.drawing.plane_set import HAIR, INK, SHADE
from engines.drawing.strokes import Points
from engines.regions.upright import FACE_OVAL

ImageU8 = NDArray[np.uint8]

_LOCK_PX = 11  # of the fields: shades of hair that are smaller would be spots
_SPOT = 0.1  # of the face's width: shades of forehead, cheeks and chin that are smaller would be spots
_MIDDLE = [33, 133, 263, 362, 129, 358, 61, 291, 17]  # around eyes, nose and mouth, whose shades make a person
_MAX_MEDIAN_PX = 99
_SOFT = 0.02  # width of the transitions, as a part of the face's width


def shade_and_ink(fields: ImageU8, faces_xy: Sequence[Points], medium: Medium, *, hair: bool) -> ImageU8:
    """Return the shade, and the ink as it is drawn, (H, W, 2) uint8, of fields (H, W, 3) uint8.

    Args:
        fields: See `Planes.fields`.
        faces_xy: (478, 2) landmarks of each face, face mesh order, pixels of the fields.
        medium: Its values `hair`, `face` and `body` say how much of the ink remains where.
        hair: Whether the hair plane is valid.
    """
    ink = cv2.extractChannel(fields, INK)
    drawn = np.asarray(cv2.LUT(ink, medium.ink_in_body), np.uint8)
    if faces_xy:
        width_px = max(float(np.ptp(np.asarray(faces_xy[0])[FACE_OVAL, 0])), 4.0)
        in_face = np.zeros(ink.shape, np.uint8)
        for face_xy in faces_xy:
            cv2.fillPoly(in_face, [np.rint(np.asarray(face_xy)[FACE_OVAL]).astype(np.int32)], (255,))
        soft = cv2.blur(in_face, (2 * round(_SOFT * width_px) + 1,) * 2)
        drawn = mixed(drawn, cv2.LUT(ink, medium.ink_in_face), soft)
    shade = np.asarray(cv2.extractChannel(fields, SHADE), np.uint8)
    if faces_xy and hair:
        for face_xy in faces_xy:
            middle_xy = np.rint(np.asarray(face_xy)[_MIDDLE]).astype(np.int32)
            cv2.fillConvexPoly(in_face, cv2.convexHull(middle_xy), (0,))
        outer = cv2.blur(in_face, (2 * round(_SOFT * width_px) + 1,) * 2)
        even = _without_spots(shade, _SPOT * width_px)
        darker = cv2.mean(shade, outer)[0] - cv2.mean(even, outer)[0]  # the face stays as dark as it is
        shade = mixed(shade, cv2.convertScaleAbs(even, alpha=1.0, beta=darker), outer)
    if hair:
        in_hair = cv2.extractChannel(fields, HAIR)
        drawn = mixed(drawn, cv2.LUT(ink, medium.ink_in_hair), in_hair)
        shade = mixed(shade, cv2.blur(shade, (_LOCK_PX, _LOCK_PX)), in_hair)
    return np.asarray(cv2.merge([shade, drawn]), np.uint8)


def _without_spots(shade: ImageU8, spot_px: float) -> ImageU8:
    """Return a plane without what is smaller than a spot; at half its size, which takes a third of the time."""
    height, width = shade.shape
    half = cv2.resize(shade, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    flat = cv2.medianBlur(half, min(2 * round(spot_px / 4) + 1, _MAX_MEDIAN_PX))
    return np.asarray(cv2.resize(flat, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
