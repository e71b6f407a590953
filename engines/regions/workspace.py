"""Reusable arrays for intermediate results of one frame."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Workspace:
    """Named scratch arrays for one thread; each grows to the largest size requested under its name.

    A frame of 1280x720 takes 2.8 MB: allocating it in each step would make the system map its pages anew each time.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[np.uint8]] = {}
        self._parts: dict[str, Workspace] = {}

    def part(self, name: str) -> Workspace:
        """Return a workspace of its own under a name, always the same one."""
        return self._parts.setdefault(name, Workspace())

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.uint8) -> NDArray[Any]:
        """Return an uninitialised C-contiguous array of that shape, valid until the name is requested again."""
        size = math.prod(shape) * np.dtype(dtype).itemsize
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            buffer = self._buffers[name] = np.empty(max(1, size), np.uint8)
        return buffer[:size].view(dtype).reshape(shape)
