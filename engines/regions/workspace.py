"""Arrays that are made once and used again, for what lives no longer than the work on one frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Workspace:
    """Working memory by name, for one thread; it grows to the largest array that was asked for under a name.

    A frame at 1280x720 has 2.8 MB: made anew by every step of every frame, its pages come from the system each time.
    """

    def __init__(self) -> None:
        self._held: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
        """A C-contiguous array of that shape, with whatever was in it; good until the name is asked for again."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(max(1, size), np.uint8)
        return held[:size].view(dtype).reshape(shape)
