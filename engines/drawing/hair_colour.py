"""Hair in its own hue: networks tend to draw short grey hair in the colour of the skin beside it."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.mixing import mixed
from engines.drawing.plane_set import HAIR, Planes
from engines.drawing.smooth_step import rise

ImageU8 = NDArray[np.uint8]

_SURE = (0.35, 0.75)  # confidences of hair from which the photo's hue counts, and counts fully
_STRAND_PX = 3  # of the colour plane: hues are averaged over so many pixels


def hair_in_own_hue(planes: Planes, crop_bgr: ImageU8) -> Planes:
    """Return the planes of a head with the hue and saturation of the photo where there is hair.

    Its lightness stays about that of the network; colours that saturate are a little lighter or darker.

    Args:
        planes: From the network: colour (h, w, 3) uint8 RGB.
        crop_bgr: (H, W, 3) uint8: what the network saw.

    Returns:
        Planes with a new colour of the same shape; the fields are shared.
    """
    height, width = planes.colour.shape[:2]
    hair = cv2.resize(cv2.extractChannel(planes.fields, HAIR), (width, height), interpolation=cv2.INTER_AREA)
    photo = cv2.cvtColor(cv2.resize(crop_bgr, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
    photo = cv2.blur(photo, (_STRAND_PX, _STRAND_PX))
    drawn_grey, photo_grey = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (planes.colour, photo))
    lighter = cv2.subtract(drawn_grey, photo_grey, dtype=cv2.CV_16S)
    own = cv2.add(photo, cv2.merge([lighter] * 3), dtype=cv2.CV_8U)
    return Planes(mixed(planes.colour, own, cv2.LUT(hair, _weights())), planes.fields)


@functools.cache
def _weights() -> ImageU8:
    return np.asarray(np.rint(255 * rise(np.arange(256, dtype=np.float32) / np.float32(255), *_SURE)), np.uint8)
