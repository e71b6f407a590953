"""Normalisation of lip crops to the illumination and colour of the training crops.

The training crops mostly show light skin in good light: dark or bluish lips and dim rooms would be painted in patches.
A crop is therefore brightened by the measured illumination, and shifted so that its lips have the mean colour of the
training lips. Afterwards the painted change is dimmed again, while part of the colour shift is kept, because lipstick
covers. Finally the painted colour is evened out over the lips: the network's receptive field is seven pixels, and it
may mistake the border of a lip for skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.face_light import LIGHT_TAU_S
from engines.regions.lips_region import LipsRegion
from engines.regions.temporal_filter import TemporalFilter

_FULL_LIGHT = 0.8  # `face_light` in good light
_MAX_SHIFT = 70.0  # of 255
_KEPT_COLOUR, _KEPT_LIGHTNESS = 0.5, 0.1  # parts of the shift that remain in the result
_MEASURE_INTERVAL_S = 0.04  # mean colours change slowly: they are not measured on every frame
_EVENING = 0.75  # how far the painted colour is moved towards its mean over the lips
_LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)
_ONES = np.ones(3, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedCrop:
    """A lip crop as the network's input, and what `restore_change` needs.

    Attributes:
        input_bgr: (H, W, 3) uint8, 0..255: the normalised crop.
        crop_bgr: (H, W, 3) uint8, 0..255: the original crop.
        lips_mask: (H, W) float32, 0..1.
        light: Illumination relative to full light, 0.2..1.
        shift_bgr: (3,) float32: what was added to the brightened crop, in steps of 1/255.
        temporal_filter: Of the same mouth.
        at_s: Time of the frame in seconds.
    """

    input_bgr: NDArray[np.uint8]
    crop_bgr: NDArray[np.uint8]
    lips_mask: NDArray[np.float32]
    light: float
    shift_bgr: NDArray[np.float32]
    temporal_filter: TemporalFilter
    at_s: float


def normalise_crop(
    crop_bgr: NDArray[np.uint8],
    region: LipsRegion,
    usual_bgr: tuple[float, float, float],
    *,
    temporal_filter: TemporalFilter | None = None,
    at_s: float = 0.0,
) -> NormalisedCrop:
    """Brighten a lip crop to full light, and shift it so that its lips have a given mean colour.

    Args:
        crop_bgr: (H, W, 3) uint8, 0..255.
        region: Where the crop comes from.
        usual_bgr: Mean colour of the training lips, 0..255.
        temporal_filter: Of the same mouth on earlier frames; None for a single picture.
        at_s: Time of the frame in seconds.
    """
    temporal_filter = temporal_filter or TemporalFilter()
    lips_mask = cv2.warpAffine(region.mask, region.matrix, region.size_wh, flags=cv2.INTER_LINEAR)
    light = float(np.clip(region.light / _FULL_LIGHT, 0.2, 1.0))
    bright = np.minimum(crop_bgr * np.float32(1.0 / light), np.float32(255))
    shift = temporal_filter.recent("shift", _MEASURE_INTERVAL_S, at_s)
    if shift is None:
        lips = (lips_mask > 0.5).astype(np.uint8)
        shift = np.zeros(3, np.float32)
        if lips.any():  # else they are covered; the measurement goes on when they are visible again
            mean = cv2.mean(bright, lips)[:3]
            shift = np.clip(np.subtract(usual_bgr, mean), -_MAX_SHIFT, _MAX_SHIFT).astype(np.float32)
            shift = temporal_filter.smoothed("shift", shift, LIGHT_TAU_S, at_s).astype(np.float32)
    bright += shift
    np.rint(bright, out=bright)
    input_bgr = np.clip(bright, 0, 255, out=bright).astype(np.uint8)
    return NormalisedCrop(input_bgr, crop_bgr, np.asarray(lips_mask, np.float32), light, shift, temporal_filter, at_s)


def restore_change(change_bgr: NDArray[np.float32], crop: NormalisedCrop) -> NDArray[np.float32]:
    """Convert the network's change of the normalised crop into a change of the original crop.

    Args:
        change_bgr: (H, W, 3) float32 in steps of 1/255.
        crop: See `normalise_crop`.

    Returns:
        (H, W, 3) float32 BGR in steps of 1/255.
    """
    luma = float(crop.shift_bgr @ _LUMA_BGR)
    kept = _KEPT_COLOUR * (crop.shift_bgr - luma) + _KEPT_LIGHTNESS * luma
    painted = crop.crop_bgr + (change_bgr + kept) * np.float32(crop.light)
    np.clip(painted, 0, 255, out=painted)
    change = painted - crop.crop_bgr
    lightness = painted @ _LUMA_BGR
    mean_bgr = crop.temporal_filter.recent("painted", _MEASURE_INTERVAL_S, crop.at_s)
    if mean_bgr is None:
        weight = crop.lips_mask * (np.abs(change) @ _ONES)  # strongest where most was painted
        total = float(weight.sum())
        if total <= 1.0:
            return np.asarray(change, np.float32)
        mean_bgr = (weight.ravel() @ painted.reshape(-1, 3)) / np.float32(total)
        mean_bgr = crop.temporal_filter.smoothed("painted", mean_bgr, LIGHT_TAU_S, crop.at_s)
    mean_lightness = max(float(mean_bgr @ _LUMA_BGR), 1.0)
    coloured = np.minimum(lightness, np.float32(1.15 * mean_lightness))
    even = coloured[:, :, None] * (mean_bgr / mean_lightness).astype(np.float32)
    even += (lightness - coloured)[:, :, None]  # highlights become white
    even -= painted
    even *= np.float32(_EVENING)
    change += even
    return np.asarray(change, np.float32)
