"""Smooth random displacements of pictures."""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.picture_pairs import ImageU8

_GRID = 5  # of random displacements, on each side

Field = NDArray[np.float32]


def smooth_field(rng: np.random.Generator, strength_px: float, side_px: int) -> tuple[Field, Field]:
    """Return smooth random displacements across and down, (side_px, side_px) pixels each.

    Args:
        strength_px: Standard deviation at the points of a 5x5 grid.
    """
    coarse = rng.normal(0, strength_px, (_GRID, _GRID, 2)).astype(np.float32)
    field = cv2.resize(coarse, (side_px, side_px), interpolation=cv2.INTER_CUBIC)
    return field[:, :, 0], field[:, :, 1]  # type: ignore[return-value]


def displaced(picture: ImageU8, wide: Field, high: Field) -> ImageU8:
    """Return a square picture (S, S, C) that shows at each pixel what is there plus the displacement."""
    down, across = pixel_grid(len(picture))
    return cv2.remap(picture, across + wide, down + high, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


@functools.cache
def pixel_grid(side_px: int) -> tuple[Field, Field]:
    """Return the place of each pixel, down and across."""
    down, across = np.mgrid[:side_px, :side_px].astype(np.float32)
    return down, across
