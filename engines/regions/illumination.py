"""Shows a lip network every mouth as it knows mouths: in full light and of a usual colour; and takes that back.

The training crops are mostly of pale skin in good light. Dark or bluish lips, or a dim room, would be painted in
patches. So a crop is first brightened by how dimly the face is lit and shifted so that its lips have the mean colour
of the training lips; afterwards the painted change is dimmed again, and part of the colour shift stays, because
lipstick covers. Last, the painted colour is evened out over the lips: the network sees seven pixels at a time, and
may take a lip's rim for skin.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import LIGHT_TAU_S, LipsRegion
from engines.regions.temporal_filter import TemporalFilter

_FULL_LIGHT = 0.8  # `Region.light` of a face in good light
_LARGEST_SHIFT = 70.0  # of 255
_KEEP_COLOUR, _KEEP_LIGHTNESS = 0.5, 0.1  # how much of the shift lipstick covers for good
_MEASURE_EVERY_S = 0.04  # means change slowly: they need not be taken on every frame
_EVEN = 0.75  # how far painted colour is brought to its mean over the lips
_LUMA_BGR = np.array([0.114, 0.587, 0.299], np.float32)
_ONES = np.ones(3, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedCrop:
    """A crop as the network is shown it, and what takes its answer back.

    Attributes:
        input_bgr: (H, W, 3) uint8 for the network.
        crop_bgr: the crop as it was.
        lips: (H, W) float32, the region's mask at the crop's size.
        lit: by how much the crop was dimmer than full light, 0..1.
        shift_bgr: what was added to the brightened crop.
        temporal_filter: of the same mouth on earlier frames, where it is a film.
        at_s: the frame's time.
    """

    input_bgr: NDArray[np.uint8]
    crop_bgr: NDArray[np.uint8]
    lips: NDArray[np.float32]
    lit: float
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
    """Brighten and shift a lip crop so that its lips have the colour `usual_bgr` (0..255)."""
    temporal_filter = temporal_filter or TemporalFilter()
    lips = cv2.warpAffine(region.mask, region.matrix, region.size_wh, flags=cv2.INTER_LINEAR)
    lit = float(np.clip(region.light / _FULL_LIGHT, 0.2, 1.0))
    bright = np.minimum(crop_bgr * np.float32(1.0 / lit), np.float32(255))
    shift = temporal_filter.recent("shift", _MEASURE_EVERY_S, at_s)
    if shift is None:
        mean = cv2.mean(bright, (lips > 0.5).astype(np.uint8))[:3]
        shift = np.clip(np.subtract(usual_bgr, mean), -_LARGEST_SHIFT, _LARGEST_SHIFT).astype(np.float32)
        shift = temporal_filter.smoothed("shift", shift, LIGHT_TAU_S, at_s).astype(np.float32)
    bright += shift
    np.rint(bright, out=bright)
    shown = np.clip(bright, 0, 255, out=bright).astype(np.uint8)
    return NormalisedCrop(shown, crop_bgr, lips, lit, shift, temporal_filter, at_s)  # type: ignore[arg-type]


def restore_change(change_bgr: NDArray[np.float32], known: NormalisedCrop) -> NDArray[np.float32]:
    """The network's change of the shown crop as a change of the crop as it was: (H, W, 3) float32."""
    luma = float(known.shift_bgr @ _LUMA_BGR)
    kept = _KEEP_COLOUR * (known.shift_bgr - luma) + _KEEP_LIGHTNESS * luma
    painted = known.crop_bgr + (change_bgr + kept) * np.float32(known.lit)
    np.clip(painted, 0, 255, out=painted)
    change = painted - known.crop_bgr
    lightness = painted @ _LUMA_BGR
    mean_bgr = known.temporal_filter.recent("painted", _MEASURE_EVERY_S, known.at_s)
    if mean_bgr is None:
        weight = known.lips * (np.abs(change) @ _ONES)  # where most was painted
        total = float(weight.sum())
        if total <= 1.0:
            return np.asarray(change, np.float32)
        mean_bgr = (weight.ravel() @ painted.reshape(-1, 3)) / np.float32(total)
        mean_bgr = known.temporal_filter.smoothed("painted", mean_bgr, LIGHT_TAU_S, known.at_s)
    mean_lightness = max(float(mean_bgr @ _LUMA_BGR), 1.0)
    coloured = np.minimum(lightness, np.float32(1.15 * mean_lightness))
    even = coloured[:, :, None] * (mean_bgr / mean_lightness).astype(np.float32)
    even += (lightness - coloured)[:, :, None]  # highlights turn white
    even -= painted
    even *= np.float32(_EVEN)
    change += even
    return np.asarray(change, np.float32)
