"""Pairs in memory -> batches of crops. A batch is a function of the seed and its step alone: resuming needs no more."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError
from engines.training.data.paired_dataset import Pairs
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.webcam import Webcam, light_curve, relit, turn_matrix, warped
from engines.training.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step learns from; crops are (N, S, S, 3) RGB uint8.

    Attributes:
        shift_xy: (N // 2, 2) pixels where crops i and i + N // 2 are two views of the same place: what the first shows
            at p + shift, the second shows at p. None where all crops are of places of their own.
    """

    before: ImageU8
    after: ImageU8
    shift_xy: NDArray[np.float32] | None


class Batches:
    """Batches by their step, made two ahead by a thread of its own.

    Args:
        pairs: at least as large as the crops.
        recipe: its batch, crop_px, webcam, light, turned, grid_px and seed, and whether a temporal objective wants two
            views.
        rank: which device of several; each gets other crops.
    """

    def __init__(self, pairs: Pairs, recipe: Recipe, *, rank: int = 0) -> None:
        height, width = pairs.before_rgb.shape[1:3]
        if min(height, width) < recipe.crop_px:
            asked, do = f"crops of {recipe.crop_px} pixels", "use smaller crops, or larger pictures"
            raise OptionsError(asked, f"the pictures are {width}x{height}", do)
        self._pairs, self._recipe, self._rank = pairs, recipe, rank
        self._webcam = Webcam(recipe.webcam)
        self._two_views = recipe.objectives.temporal > 0 and recipe.batch > 1
        self._maker = ThreadPoolExecutor(1, "batches")
        self._ahead: dict[int, Future[Batch]] = {}

    def get(self, step: int) -> Batch:
        """The batch of a step."""
        for coming in range(step, step + 3):
            if coming not in self._ahead:
                self._ahead[coming] = self._maker.submit(self.make, coming)
        return self._ahead.pop(step).result()

    def close(self) -> None:
        """Stop the thread."""
        self._maker.shutdown(wait=True, cancel_futures=True)

    def make(self, step: int) -> Batch:
        """The same, made here and now."""
        rng = np.random.default_rng((self._recipe.seed, self._rank, step))
        if not self._two_views:
            crops = [self._views(rng, None) for _ in range(self._recipe.batch)]
            return _batch([views[0] for views in crops], None)
        half = self._recipe.batch // 2
        shift_xy = _shifts(rng, half, self._recipe.grid_px)
        crops = [self._views(rng, shift) for shift in shift_xy]
        both = [views[which] for which in (0, 1) for views in crops]
        return _batch(both, shift_xy)

    def _views(self, rng: np.random.Generator, shift_xy: NDArray[np.float32] | None) -> list[tuple[ImageU8, ImageU8]]:
        """One or two views of one place, each (before, after)."""
        recipe, pairs, side = self._recipe, self._pairs, self._recipe.crop_px
        free = recipe.grid_px == 1
        which, mirrored = int(rng.integers(len(pairs.names))), bool(rng.random() < 0.5) and free
        pictures = [array[which] for array in (pairs.before_rgb, pairs.after_rgb)]
        height, width = pictures[0].shape[:2]
        curve = light_curve(rng, 0.8) if rng.random() < recipe.light else None
        place = np.array([rng.integers(width - side + 1), rng.integers(height - side + 1)], np.float64)
        place -= place % recipe.grid_px
        turned = rng.random() < recipe.turned and free
        turn = np.vstack((turn_matrix(rng, side), (0, 0, 1))) if turned else np.eye(3)
        views = []
        for moved in (np.zeros(2),) if shift_xy is None else (np.zeros(2), shift_xy):
            offset = np.array([[1, 0, -place[0]], [0, 1, -place[1]], [0, 0, 1]])
            shifted = np.array([[1, 0, -moved[0]], [0, 1, -moved[1]], [0, 0, 1]])
            crops = [_cut(picture, shifted @ turn @ offset, side) for picture in pictures]
            before, after = crops if curve is None else (relit(crop, curve) for crop in crops)
            if mirrored:
                before, after = before[:, ::-1], after[:, ::-1]
            views.append((self._webcam.spoil(before, rng), after))
        if mirrored and shift_xy is not None:
            shift_xy[0] *= -1  # as the mirrored crops show it
        return views


def _batch(views: list[tuple[ImageU8, ImageU8]], shift_xy: NDArray[np.float32] | None) -> Batch:
    return Batch(np.stack([before for before, _ in views]), np.stack([after for _, after in views]), shift_xy)


def _cut(picture: ImageU8, matrix: NDArray[np.float64], side: int) -> ImageU8:
    """A square through a matrix; plain slicing where the matrix only moves by whole pixels inside the picture."""
    left, top = -matrix[0, 2], -matrix[1, 2]
    height, width = picture.shape[:2]
    whole = left == round(left) and top == round(top) and np.array_equal(matrix[:2, :2], np.eye(2))
    if whole and 0 <= left <= width - side and 0 <= top <= height - side:
        return picture[int(top) : int(top) + side, int(left) : int(left) + side]
    return warped(picture, matrix[:2], side)


def _shifts(rng: np.random.Generator, count: int, grid_px: int) -> NDArray[np.float32]:
    """Half of them by whole pixels, half by parts of one: both are how a face moves between two frames."""
    if grid_px > 1:
        return np.asarray(grid_px * rng.integers(-1, 2, (count, 2)), np.float32)
    far = rng.integers(-6, 7, (count, 2)).astype(np.float32)
    near = rng.uniform(-1.5, 1.5, (count, 2)).astype(np.float32)
    return np.asarray(np.where(np.arange(count)[:, None] % 2 == 0, far, near), np.float32)
