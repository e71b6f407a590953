"""Peak signal-to-noise ratio."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

MAX_PSNR_DB = 100.0  # of equal pictures


def mse_to_psnr_db(mean_square: float) -> float:
    """Return 10 log10(255^2 / MSE) in dB, at most `MAX_PSNR_DB`, for an MSE in squared levels of 255."""
    return min(MAX_PSNR_DB, 10 * float(np.log10(255.0**2 / mean_square))) if mean_square > 0 else MAX_PSNR_DB


def psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Return the PSNR of two uint8 arrays of the same shape, peak 255; 100 dB if they are equal."""
    error = float(np.mean(np.square(one.astype(np.float32) - other.astype(np.float32)), dtype=np.float64))
    return mse_to_psnr_db(error)


def mean_psnr_db(ones: Iterable[NDArray[np.uint8]], others: Iterable[NDArray[np.uint8]]) -> float:
    """Return the mean PSNR in dB over pairs of uint8 pictures, 0..255, each pair of one shape."""
    return float(np.mean([psnr_db(one, other) for one, other in zip(ones, others, strict=True)]))
