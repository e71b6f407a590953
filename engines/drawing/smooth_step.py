"""The smooth step between two values, of arrays and of numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def rise(values: NDArray[np.float32], start: float, end: float) -> NDArray[np.float32]:
    """Return the smoothstep of values of any shape: 0 below `start`, 1 above `end`."""
    part = np.clip((values - np.float32(start)) * np.float32(1 / (end - start)), 0, 1)
    return part * part * (3 - 2 * part)


def smooth_step(value: float, start: float, end: float) -> float:
    """Return 0 below `start`, 1 above `end`, and a smooth transition between."""
    part = min(max((value - start) / max(end - start, 1e-6), 0.0), 1.0)  # on a black frame both are 0
    return part * part * (3 - 2 * part)
