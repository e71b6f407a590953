"""Frames' memory, used again once nobody holds it."""

from __future__ import annotations

import sys
import threading

import numpy as np

from live.pipeline.frame import ImageU8

_MOST = 12  # slots, held, frozen and last frames are fewer; whoever keeps more gets arrays of their own


class FramePool:
    """Gives out pictures of one size; one that is let go of by everybody is given out again, from any thread.

    A picture is free when nothing but the pool refers to it: views and OpenCV's calls count as somebody too.
    """

    def __init__(self) -> None:
        self._pictures: list[ImageU8] = []
        self._lock = threading.Lock()

    def take(self, shape: tuple[int, ...]) -> ImageU8:
        """A C-contiguous uint8 array of that shape, with whatever was in it."""
        with self._lock:
            if self._pictures and self._pictures[0].shape != shape:
                self._pictures = []
            for place in range(len(self._pictures)):
                if sys.getrefcount(self._pictures[place]) <= _FREE:
                    return self._pictures[place]
            made = np.empty(shape, np.uint8)
            if len(self._pictures) < _MOST:
                self._pictures.append(made)
            return made


def _references_of_a_free_one() -> int:
    pictures = [np.empty(1, np.uint8)]
    return sys.getrefcount(pictures[0])


_FREE = _references_of_a_free_one()
