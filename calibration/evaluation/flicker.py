"""Flicker metric: frame-to-frame change of a style's output, relative to the change of its input."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.student import resize_area

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
Apply = Callable[[ImageU8], ImageU8]  # (H, W, 3) RGB uint8 to the same

STILL_FRAMES = 24
_NOISE_SIGMA = 2.0  # levels of 255
_JITTER_PX = 0.5
_MARGIN_PX = 4  # border excluded because shifted images are undefined there
_MIN_VALID_FLOW = 0.3  # share of pixels; frame pairs below it are cuts


@dataclass(frozen=True, slots=True)
class Flicker:
    """Frame-to-frame change of input and output in levels of 255 over all pairs of frames.

    The mean is of absolute differences. The root mean square (RMS) is more sensitive to few pixels that change much.
    """

    input_levels: float
    output_levels: float
    input_rms_levels: float
    output_rms_levels: float
    pairs: int

    @property
    def ratio(self) -> float | None:
        """Mean change of the output divided by that of the input; None if the input does not change."""
        return self.output_levels / self.input_levels if self.input_levels > 0 else None

    @property
    def rms_ratio(self) -> float | None:
        """RMS change of the output divided by that of the input; None if the input does not change."""
        return self.output_rms_levels / self.input_rms_levels if self.input_rms_levels > 0 else None


class _Accumulator:
    def __init__(self) -> None:
        self._pairs = 0
        self._sums = np.zeros((2, 2))  # (input, output) x (mean absolute, mean square)

    def add(self, input_change: Floats, output_change: Floats) -> None:
        for row, change in enumerate((input_change, output_change)):
            self._sums[row] += np.abs(change).mean(), np.square(change).mean()
        self._pairs += 1

    def flicker(self) -> Flicker:
        (input_mean, input_square), (output_mean, output_square) = (self._sums / max(self._pairs, 1)).tolist()
        return Flicker(input_mean, output_mean, input_square**0.5, output_square**0.5, self._pairs)


def still_flicker(picture_rgb: ImageU8, size_wh: tuple[int, int], apply_rgb: Apply, *, jitter: bool) -> Flicker:
    """Measure flicker on 24 noisy frames made from one photo, (S, S, 3) RGB uint8, larger than `size_wh`.

    Each frame is the photo at `size_wh` plus normal noise with a sigma of 2 levels, independent per pixel, channel and
    frame. With `jitter`, the photo is also shifted by up to half a pixel in x and y on each frame, and input and output
    are shifted back (bicubic) before the comparison: output that follows the face is not affected, output that depends
    on the pixel grid changes more.
    """
    rng = np.random.default_rng(0)
    scale = np.divide((picture_rgb.shape[1], picture_rgb.shape[0]), size_wh)
    inner = slice(_MARGIN_PX, -_MARGIN_PX)
    changes = _Accumulator()
    previous: Floats | None = None
    for _ in range(STILL_FRAMES):
        shift_xy = rng.uniform(-_JITTER_PX, _JITTER_PX, 2) if jitter else np.zeros(2)
        shifted = _shift(picture_rgb.astype(np.float32), shift_xy * scale)
        clean_rgb = resize_area(np.clip(np.rint(shifted), 0, 255).astype(np.uint8), size_wh)
        noise = rng.normal(0, _NOISE_SIGMA, clean_rgb.shape)
        input_rgb = np.clip(np.rint(clean_rgb + noise), 0, 255).astype(np.uint8)
        pair = [_shift(rgb.astype(np.float32), -shift_xy) for rgb in (input_rgb, apply_rgb(input_rgb))]
        current = np.stack([rgb[inner, inner] for rgb in pair])
        if previous is not None:
            changes.add(*(current - previous))
        previous = current
    return changes.flicker()


def _shift(picture: Floats, by_xy: NDArray[np.float64]) -> Floats:
    if not by_xy.any():
        return picture
    matrix = np.array([[1, 0, by_xy[0]], [0, 1, by_xy[1]]])
    size_wh = (picture.shape[1], picture.shape[0])
    shifted = cv2.warpAffine(picture, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(shifted, np.float32)


def moving_flicker(regions_rgb: Iterable[ImageU8 | None], apply_rgb: Apply) -> Flicker:
    """Measure flicker on a real clip with motion compensation, from (S, S, 3) RGB uint8 regions in frame order.

    A frame without a face (None) separates the frames before and after it. So does a cut, where less than 30 % of the
    flow is valid. The optical flow between two input frames (dense inverse search; Kroeger et al., "Fast Optical Flow
    Using Dense Inverse Search", ECCV 2016) warps the earlier input and output onto the later ones. The change is the
    difference over the pixels with valid flow. Pixels that fail the forward-backward check, or that lie at motion
    boundaries, are excluded (Sundaram, Brox, Keutzer, "Dense Point Trajectories by GPU-Accelerated Large Displacement
    Optical Flow", ECCV 2010, section 3).
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    changes = _Accumulator()
    previous: tuple[ImageU8, ImageU8, ImageU8] | None = None
    for region_rgb in regions_rgb:
        if region_rgb is None:
            previous = None
            continue
        grey = np.asarray(cv2.cvtColor(region_rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        current = (grey, region_rgb, apply_rgb(region_rgb))
        if previous is not None:
            backward = flow.calc(current[0], previous[0], None)  # type: ignore[call-overload]
            forward = flow.calc(previous[0], current[0], None)  # type: ignore[call-overload]
            rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
            source_xy = np.stack([columns, rows], axis=2).astype(np.float32) + backward
            valid = _valid_flow(backward, forward, source_xy)
            if valid.mean() >= _MIN_VALID_FLOW:
                pairs = zip(current[1:], previous[1:], strict=True)
                changes.add(*(_warped_difference(after, before, source_xy)[valid] for after, before in pairs))
        previous = current
    return changes.flicker()


def _valid_flow(backward: Floats, forward: Floats, source_xy: Floats) -> NDArray[np.bool_]:
    """Return the mask of valid pixels for the flow (H, W, 2) from the current frame back to the previous one."""
    height, width = backward.shape[:2]
    forward = cv2.remap(forward, source_xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    lengths = (backward**2).sum(2) + (forward**2).sum(2)
    consistent = ((backward + forward) ** 2).sum(2) < 0.01 * lengths + 0.5
    gradient = sum((np.gradient(backward[:, :, i], axis=j) ** 2 for i in (0, 1) for j in (0, 1)), np.zeros(1))
    smooth = gradient <= 0.01 * (backward**2).sum(2) + 0.002
    x, y = source_xy[:, :, 0], source_xy[:, :, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.asarray(consistent & smooth & inside, np.bool_)


def _warped_difference(after_rgb: ImageU8, before_rgb: ImageU8, source_xy: Floats) -> Floats:
    warped = cv2.remap(  # type: ignore[call-overload]
        before_rgb.astype(np.float32), source_xy, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(after_rgb - warped, np.float32)
