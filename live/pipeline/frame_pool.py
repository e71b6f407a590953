"""Reusable memory for frames."""

from __future__ import annotations

import math
import weakref
from collections import deque

import numpy as np

from live.pipeline.frame import ImageU8

_MAX_FREE = 12  # more than the slots, the held, frozen and last frames of a run


class FramePool:
    """Leases uint8 arrays and reuses their memory; safe to use from any thread.

    The lease is a flat array over the memory. It is the `base` of the array that `take` returns and of every view
    of that array: NumPy shortens a chain of views only down to the array whose own base is no array. The memory is
    free again once the lease is deleted, that is, when the last of them is.
    """

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque(maxlen=_MAX_FREE)

    def take(self, shape: tuple[int, ...]) -> ImageU8:
        """Lease an array.

        Args:
            shape: Of the array; free memory of another size is released.

        Returns:
            C-contiguous uint8 of that shape, with undefined content.
        """
        size = math.prod(shape)
        buffer = None
        while buffer is None or buffer.nbytes != size:
            try:
                buffer = self._free.pop()
            except IndexError:
                buffer = np.empty(size, np.uint8).data
        lease = np.frombuffer(buffer, np.uint8)
        weakref.finalize(lease, self._free.append, buffer).atexit = False
        return lease.reshape(shape)
