"""Flicker: how much a style's pictures change from frame to frame, over how much their input does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.student import brought_to

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
Sums = NDArray[np.float64]
Apply = Callable[[ImageU8], ImageU8]  # (H, W, 3) RGB uint8 to the same

STILL_FRAMES = 24
_NOISE_LEVELS = 2.0  # of 255
_JITTER_PX = 0.5
_MARGIN_PX = 4  # left out where a picture was moved
_LEAST_FLOWING = 0.3  # of the pixels; a pair with fewer is a cut


@dataclass(frozen=True, slots=True)
class Flicker:
    """Frame-to-frame change of the input and of the output, in levels of 255, over all pairs of frames.

    The root mean square beside the mean tells a few pixels that jump far from many that change a little.

    Attributes:
        input_levels: mean absolute change of the input.
        output_levels: of the output.
        input_rms_levels: root mean square change of the input.
        output_rms_levels: of the output.
        pairs: how many pairs of frames were compared.
    """

    input_levels: float
    output_levels: float
    input_rms_levels: float
    output_rms_levels: float
    pairs: int

    @property
    def ratio(self) -> float | None:
        """Output over input; None where the input does not change at all."""
        return self.output_levels / self.input_levels if self.input_levels > 0 else None

    @property
    def rms_ratio(self) -> float | None:
        """The same of the root mean squares."""
        return self.output_rms_levels / self.input_rms_levels if self.input_rms_levels > 0 else None


class _Changes:
    """Adds up the changes of input and output, pair by pair."""

    def __init__(self) -> None:
        self.pairs = 0
        self._sums: Sums = np.zeros((2, 2))  # mean and mean square, of input and output

    def add(self, input_change: Floats, output_change: Floats) -> None:
        for row, change in enumerate((input_change, output_change)):
            self._sums[row] += np.abs(change).mean(), np.square(change).mean()
        self.pairs += 1

    def flicker(self) -> Flicker:
        (seen, seen_square), (made, made_square) = (self._sums / max(self.pairs, 1)).tolist()
        return Flicker(seen, made, seen_square**0.5, made_square**0.5, self.pairs)


def still_flicker(
    picture_rgb: ImageU8, size_wh: tuple[int, int], apply_rgb: Apply, *, jitter: bool, seed: int = 0
) -> Flicker:
    """Flicker on a still, noisy clip of 24 frames made from one photo.

    Each frame is the photo at `size_wh` plus sensor noise, normal with a sigma of 2 levels, independent for each
    pixel, colour and frame. With `jitter` the photo also lies up to half a pixel off in x and y, anew on each frame,
    and what was made of it is put back by as much (bicubic), the input likewise: a drawing that moves with the face
    then changes as without, one that hangs on the pixels' grid changes more.

    Args:
        picture_rgb: (S, S, 3) uint8, larger than `size_wh`.
        size_wh: of the frames.
        apply_rgb: the style.
        jitter: see above.
        seed: of noise and jitter.
    """
    random = np.random.default_rng(seed)
    scale = np.divide((picture_rgb.shape[1], picture_rgb.shape[0]), size_wh)
    inner = slice(_MARGIN_PX, -_MARGIN_PX)
    changes = _Changes()
    last: Floats | None = None
    for _ in range(STILL_FRAMES):
        off_xy = random.uniform(-_JITTER_PX, _JITTER_PX, 2) if jitter else np.zeros(2)
        placed_rgb = np.clip(np.rint(_moved(picture_rgb.astype(np.float32), off_xy * scale)), 0, 255).astype(np.uint8)
        cut_rgb = brought_to(placed_rgb, size_wh)
        grain = random.normal(0, _NOISE_LEVELS, cut_rgb.shape)
        seen_rgb = np.clip(np.rint(cut_rgb + grain), 0, 255).astype(np.uint8)
        pair = [_moved(shown.astype(np.float32), -off_xy) for shown in (seen_rgb, apply_rgb(seen_rgb))]
        now = np.stack([shown[inner, inner] for shown in pair])
        if last is not None:
            changes.add(*(now - last))
        last = now
    return changes.flicker()


def _moved(picture: Floats, by_xy: Sums) -> Floats:
    if not by_xy.any():
        return picture
    matrix = np.array([[1, 0, by_xy[0]], [0, 1, by_xy[1]]])
    size_wh = (picture.shape[1], picture.shape[0])
    moved = cv2.warpAffine(picture, matrix, size_wh, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def moving_flicker(regions_rgb: Iterable[ImageU8 | None], apply_rgb: Apply) -> Flicker:
    """Flicker of the regions of a real clip with their motion taken out.

    Dense inverse search (Kroeger et al., "Fast Optical Flow Using Dense Inverse Search", ECCV 2016) finds the flow
    between the inputs of two frames. It brings the earlier input and the earlier output onto the later ones; the mean
    absolute difference of the outputs is held against that of the inputs, over the same pixels. Pixels where there
    and back do not meet, or at the edge of a motion, are left out: the two tests of Sundaram, Brox, Keutzer, "Dense
    Point Trajectories by GPU-Accelerated Large Displacement Optical Flow", ECCV 2010, section 3.

    Args:
        regions_rgb: (S, S, 3) uint8 regions in the order of the frames; None for a frame without a face, across
            which nothing is compared. Nor is anything across a cut, where the flow holds for less than 30 %.
        apply_rgb: the style.
    """
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    changes = _Changes()
    last: tuple[ImageU8, ImageU8, ImageU8] | None = None
    for region_rgb in regions_rgb:
        if region_rgb is None:
            last = None
            continue
        grey = np.asarray(cv2.cvtColor(region_rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        now = (grey, region_rgb, apply_rgb(region_rgb))
        if last is not None:
            back, there = flow.calc(now[0], last[0], None), flow.calc(last[0], now[0], None)  # type: ignore[call-overload]
            from_xy = _grid(back.shape) + back
            flowing = _flowing(back, there, from_xy)
            if flowing.mean() >= _LEAST_FLOWING:
                pictures = zip(now[1:], last[1:], strict=True)
                changes.add(*(_change(shown, before, from_xy)[flowing] for shown, before in pictures))
        last = now
    return changes.flicker()


def _grid(shape: tuple[int, ...]) -> Floats:
    """(H, W, 2): x and y of every pixel."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(np.stack([columns, rows], axis=2), np.float32)


def _flowing(back: Floats, there: Floats, from_xy: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where the flow (H, W, 2) from this frame back to the earlier one can be trusted."""
    height, width = back.shape[:2]
    there = cv2.remap(there, from_xy, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    lengths = (back**2).sum(2) + (there**2).sum(2)
    meets = ((back + there) ** 2).sum(2) < 0.01 * lengths + 0.5
    bends = sum((np.gradient(back[:, :, i], axis=j) ** 2 for i in (0, 1) for j in (0, 1)), np.zeros(1))
    smooth = bends <= 0.01 * (back**2).sum(2) + 0.002
    x, y = from_xy[:, :, 0], from_xy[:, :, 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return np.asarray(meets & smooth & inside, np.bool_)


def _change(now_rgb: ImageU8, before_rgb: ImageU8, from_xy: Floats) -> Floats:
    """This picture minus the earlier one brought onto it."""
    brought = cv2.remap(  # type: ignore[call-overload]
        before_rgb.astype(np.float32), from_xy, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(now_rgb - brought, np.float32)
