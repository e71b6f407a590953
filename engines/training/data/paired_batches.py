"""Augmented batches of crops from pairs of pictures. A batch depends on the seed, the device and the step only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError
from engines.training.data.paired_dataset import PairedDataset
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.webcam import light_curve, relit, spoil, turn_matrix, warped

_View = tuple[ImageU8, ImageU8]


@dataclass(frozen=True, slots=True, eq=False)
class PairedBatch:
    """One batch of crops.

    Attributes:
        before_rgb: The inputs, (N, S, S, 3) RGB uint8.
        after_rgb: The targets, (N, S, S, C) uint8.
        shift_xy: (N/2, 2) float32 pixels. Crops i and i + N/2 are two views of one place: what the first shows at
            p + shift, the second shows at p. None if all crops are of different places.
    """

    before_rgb: ImageU8
    after_rgb: ImageU8
    shift_xy: NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True)
class PairedBatches:
    """Batches by step (see `engines.training.method.BatchSource`); the other fields are those of `PairedConfig`.

    Attributes:
        pairs: The pairs to train on, at least as large as the crops.
        two_views: The second half of the batch shows the places of the first half again, shifted.
        rank: Number of the device; each device gets other crops.
        scales: Range of the scale of turned crops.
    """

    pairs: PairedDataset
    batch: int
    crop_px: int
    webcam: float
    relit: float
    turned: float
    grid_px: int
    seed: int
    two_views: bool
    rank: int
    scales: tuple[float, float] = (0.9, 1.12)

    def __post_init__(self) -> None:
        width, height = self.pairs.size_wh
        if min(height, width) < self.crop_px:
            requested, do = f"crops of {self.crop_px} pixels", "use smaller crops, or larger pictures"
            raise OptionsError(requested, f"the pictures are {width}x{height}", do)

    def __getitem__(self, step: int) -> PairedBatch:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, self.rank, step))
        if not self.two_views or self.batch < 2:
            return _stacked([self._views(rng, None)[0] for _ in range(self.batch)], None)
        shift_xy = _shifts(rng, self.batch // 2, self.grid_px)
        places = [self._views(rng, shift) for shift in shift_xy]
        return _stacked([views[which] for which in (0, 1) for views in places], shift_xy)

    def _views(self, rng: np.random.Generator, shift_xy: NDArray[np.float32] | None) -> list[_View]:
        """Return one or two views of one place, each (before, after). A mirrored place negates `shift_xy[0]`."""
        pairs, side, free = self.pairs, self.crop_px, self.grid_px == 1
        which, mirrored = int(rng.integers(len(pairs))), bool(rng.random() < 0.5) and free
        pictures = [pairs.before_rgb[which], pairs.after_rgb[which]]
        height, width = pictures[0].shape[:2]
        curve = light_curve(rng, 0.8) if rng.random() < self.relit else None
        place = np.array([rng.integers(width - side + 1), rng.integers(height - side + 1)], np.float64)
        place -= place % self.grid_px
        turned = rng.random() < self.turned and free
        turn = np.vstack((turn_matrix(rng, side, self.scales), (0, 0, 1))) if turned else np.eye(3)
        views = []
        for moved in (np.zeros(2),) if shift_xy is None else (np.zeros(2), shift_xy):
            offset = np.array([[1, 0, -place[0]], [0, 1, -place[1]], [0, 0, 1]])
            shifted = np.array([[1, 0, -moved[0]], [0, 1, -moved[1]], [0, 0, 1]])
            crops = [_cut(picture, shifted @ turn @ offset, side) for picture in pictures]
            before, after = crops if curve is None else (relit(crop, curve) for crop in crops)
            if mirrored:
                before, after = before[:, ::-1], after[:, ::-1]
            views.append((spoil(before, rng, self.webcam), after))
        if mirrored and shift_xy is not None:
            shift_xy[0] *= -1
        return views


def _stacked(views: list[_View], shift_xy: NDArray[np.float32] | None) -> PairedBatch:
    return PairedBatch(np.stack([before for before, _ in views]), np.stack([after for _, after in views]), shift_xy)


def _cut(picture: ImageU8, matrix: NDArray[np.float64], side: int) -> ImageU8:
    """Cut a square through a (3, 3) matrix; by slicing if the matrix only shifts by whole pixels inside the picture."""
    left, top = -matrix[0, 2], -matrix[1, 2]
    height, width = picture.shape[:2]
    whole = left == round(left) and top == round(top) and np.array_equal(matrix[:2, :2], np.eye(2))
    if whole and 0 <= left <= width - side and 0 <= top <= height - side:
        return picture[int(top) : int(top) + side, int(left) : int(left) + side]
    return warped(picture, matrix[:2], side)


def _shifts(rng: np.random.Generator, count: int, grid_px: int) -> NDArray[np.float32]:
    """Return shifts (count, 2) in pixels as between two frames of a moving face: alternately whole and fractional."""
    if grid_px > 1:
        return np.asarray(grid_px * rng.integers(-1, 2, (count, 2)), np.float32)
    far = rng.integers(-6, 7, (count, 2)).astype(np.float32)
    near = rng.uniform(-1.5, 1.5, (count, 2)).astype(np.float32)
    return np.asarray(np.where(np.arange(count)[:, None] % 2 == 0, far, near), np.float32)
