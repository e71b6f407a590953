"""Planes: what a network reduces a photo to. They change slowly and are enlarged without loss of sharpness.

The borders of tones and lines are not in the planes. They are drawn by thresholds at the frame's own resolution
(`engines.drawing.drawing`), so a plane of 256 pixels is enough for a head of 600.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]

SHADE_RANGE = (-3.6, 2.0)  # of the shade plane's 0 and 255; 0 is the usual light of a surface, in tones
CHANNELS = 12  # of a network's output at half the resolution: RGB, hair, 2x2 pixels of shade, 2x2 pixels of ink
SHADE, INK, HAIR = 0, 1, 2  # channels of `Planes.fields`


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """Planes of one region. The two arrays may have different sizes and show the same area.

    Attributes:
        colour: (h, w, 3) uint8, RGB from the network, BGR after `Medium.mood`: the colour without light and shade.
        fields: (H, W, 3) uint8: shade (`SHADE_RANGE`), coverage of ink, and confidence of hair.
    """

    colour: ImageU8
    fields: ImageU8

    def enlarged(self, size_wh: tuple[int, int]) -> Planes:
        """Return both arrays at one size."""
        how = cv2.INTER_CUBIC if size_wh[0] > self.fields.shape[1] else cv2.INTER_AREA
        colour, fields = (cv2.resize(one, size_wh, interpolation=how) for one in (self.colour, self.fields))
        return Planes(np.asarray(colour, np.uint8), np.asarray(fields, np.uint8))


def planes_of(output: NDArray[np.float32]) -> Planes:
    """Return the planes of a network's output, (12, h, w) in steps of 1/255; the fields have twice its size."""
    channels, height, width = output.shape
    flat = output.reshape(channels * height, width)
    levels = np.asarray(cv2.addWeighted(flat, 0.5, flat, 0.5, 0.0, dtype=cv2.CV_8U), np.uint8)  # rounds and saturates
    levels = levels.reshape(channels, height, width)
    fine = np.empty((2, 2 * height, 2 * width), np.uint8)
    for field, first in ((SHADE, 4), (INK, 8)):
        for place in range(4):
            fine[field, place // 2 :: 2, place % 2 :: 2] = levels[first + place]
    hair = cv2.resize(levels[3], (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    colour, fields = cv2.merge(list(levels[:3])), cv2.merge([fine[SHADE], fine[INK], np.asarray(hair, np.uint8)])
    return Planes(np.asarray(colour, np.uint8), np.asarray(fields, np.uint8))
