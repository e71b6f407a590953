"""Colours for the AVIF encoder, which stores YCbCr in 8 bits."""

from __future__ import annotations

import functools
import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from live.pipeline.frame import ImageU8

_BAND_PIXELS = 500_000
_TO_YCBCR = np.array(  # ITU-R BT.601-7, full range
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32
)
_TO_RGB = np.linalg.inv(_TO_YCBCR)


def compensated(rgb: ImageU8, *, has_alpha: bool) -> ImageU8:
    """Return the colours that the encoder stores as the YCbCr nearest to the given ones.

    Some versions round Cb and Cr down, which moves every colour towards green by half a level.

    Args:
        rgb: (H, W, 3) uint8 RGB.
        has_alpha: The picture is stored with transparency, which takes another conversion.
    """
    lost, result = _lost_chroma(has_alpha), np.empty_like(rgb)
    step = max(1, _BAND_PIXELS // rgb.shape[1])
    for top in range(0, len(rgb), step):
        ycbcr: Any = np.rint(cv2.transform(rgb[top : top + step].astype(np.float32), _TO_YCBCR))
        ycbcr[:, :, 1:] += lost
        result[top : top + step] = np.rint(np.clip(cv2.transform(ycbcr, _TO_RGB), 0, 255))
    return result


@functools.lru_cache(2)
def _lost_chroma(has_alpha: bool) -> float:
    """Return by how much this encoder lowers Cb and Cr in the mean, in levels."""
    rgb = np.random.default_rng(0).integers(32, 224, (64, 64, 3), np.uint8)
    file = io.BytesIO()
    picture = Image.fromarray(rgb)
    if has_alpha:
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    picture.save(file, "AVIF", quality=100, subsampling="4:4:4", speed=10)
    with Image.open(file, formats=["AVIF"]) as stored:
        change = np.asarray(stored.convert("RGB"), np.float32) - rgb
    return float(-(change @ _TO_YCBCR.T)[:, :, 1:].mean())
