"""Sliced Wasserstein distance between two sets of pictures (Karras et al., ICLR 2018, arXiv:1710.10196, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_PATCH_PX, _LOWEST_PX = 7, 16
_REPEATS, _DIRECTIONS = 4, 128
_MAX_PICTURES = 2048  # of each set
_MAX_PATCHES = 128  # of one picture
_PATCHES, EXACT_PATCHES = 16_384, 65_536  # of each level and set

Floats = NDArray[np.float32]


def sliced_wasserstein(
    ones: Sequence[NDArray[np.uint8]], others: Sequence[NDArray[np.uint8]], *, seed: int = 0
) -> float:
    """Return the distance times 1000, as in the paper's tables, averaged over the levels of Laplacian pyramids.

    See `swd_by_level`.
    """
    return float(np.mean(swd_by_level(ones, others, seed=seed)))


def swd_by_level(
    ones: Sequence[NDArray[np.uint8]],
    others: Sequence[NDArray[np.uint8]],
    *,
    patches: int = _PATCHES,
    seed: int = 0,
) -> list[float]:
    """Return the distance times 1000 of each level, the finest first.

    Patches of 7x7 pixels of each level, normalised to mean 0 and variance 1 for each channel and set, are projected to
    random directions; sorted projections are compared. The smaller set is repeated to the size of the larger one, of
    which at most 2,048 pictures are used.

    Args:
        ones: Pictures of one size, (H, W, 3) RGB uint8. The smaller side is at least 16 pixels.
        others: Pictures of the same size.
        patches: Of each level and set: few of each of many pictures, as the patches of one picture are alike.
        seed: Of patches and directions.

    Raises ValueError if one of the sets is empty.
    """
    if not len(ones) or not len(others):
        raise ValueError("a set of pictures is empty")
    count = min(_MAX_PICTURES, max(len(ones), len(others)))
    each = max(1, min(_MAX_PATCHES, patches // count))
    sets = []
    for pictures in (ones, others):
        rng = np.random.default_rng(seed)
        chosen = [i * len(pictures) // count for i in range(count)]  # evenly, as they may be sorted
        sets.append(_descriptors(pictures, chosen, each, rng))
    rng = np.random.default_rng(seed + 1)
    return [1000 * _distance(one, other, rng) for one, other in zip(*sets, strict=True)]


def _descriptors(
    pictures: Sequence[NDArray[np.uint8]], chosen: Sequence[int], patches: int, rng: np.random.Generator
) -> list[Floats]:
    """Return the normalised patches of each level, (patches, 147) float32, of the chosen pictures."""
    by_level: list[list[Floats]] = []
    last, levels = -1, list[Floats]()
    for at in chosen:
        if at != last:  # a picture of the smaller set is chosen several times in turn
            last, levels = at, _laplacian(pictures[at].astype(np.float32))
        for number, level in enumerate(levels):
            if number == len(by_level):
                by_level.append([])
            windows = np.lib.stride_tricks.sliding_window_view(level, (_PATCH_PX, _PATCH_PX), (0, 1))  # type: ignore[call-overload]
            rows = rng.integers(0, windows.shape[0], patches)
            columns = rng.integers(0, windows.shape[1], patches)
            by_level[number].append(windows[rows, columns])  # patches, 3, 7, 7
    found = []
    for level_patches in by_level:
        stacked = np.concatenate(level_patches)
        stacked = stacked - stacked.mean((0, 2, 3), keepdims=True)
        stacked /= stacked.std((0, 2, 3), keepdims=True) + 1e-8
        found.append(stacked.reshape(len(stacked), -1))
    return found


def _laplacian(picture: Floats) -> list[Floats]:
    """Return the levels of the Laplacian pyramid down to 16 pixels; the last one is the low-pass picture."""
    levels = []
    while min(picture.shape[:2]) // 2 >= _LOWEST_PX:
        smaller = cv2.pyrDown(picture)
        back = cv2.pyrUp(smaller, dstsize=(picture.shape[1], picture.shape[0]))
        levels.append(np.asarray(picture - back, np.float32))
        picture = np.asarray(smaller, np.float32)
    return [*levels, picture]


def _distance(ones: Floats, others: Floats, rng: np.random.Generator) -> float:
    results = []
    for _ in range(_REPEATS):
        directions = rng.standard_normal((ones.shape[1], _DIRECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0, keepdims=True)
        projected = [np.sort(one @ directions, axis=0) for one in (ones, others)]
        results.append(np.abs(projected[0] - projected[1]).mean())
    return float(np.mean(results))
