"""A fake of pyvirtualcam.Camera: the same calls and checks, without a driver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class FakeVirtualCamera:
    """Stores the frames it is sent; rejects what the real camera rejects."""

    def __init__(self, width: int, height: int, fps: float, *, fmt: Any, device: str | None, print_fps: bool) -> None:
        if width % 2 or height % 2:
            raise RuntimeError("width and height must be even")
        if fps <= 0:
            raise ValueError("fps must be positive")
        self.size_wh, self.fps, self.fmt, self.print_fps = (width, height), fps, fmt, print_fps
        self.device = device or "/dev/video10"
        self.frames: list[NDArray[np.uint8]] = []
        self.closed = 0
        self.broken: Exception | None = None

    def send(self, frame: NDArray[np.uint8]) -> None:
        """Store a copy; raise on a wrong type or shape, and if `broken` is set."""
        if self.broken is not None:
            raise self.broken
        if frame.dtype != np.uint8:
            raise TypeError(f"unexpected frame dtype: {frame.dtype} != uint8")
        if frame.shape != (self.size_wh[1], self.size_wh[0], 3):
            raise ValueError(f"unexpected frame shape: {frame.shape}")
        assert frame.flags.c_contiguous
        self.frames.append(frame.copy())

    def close(self) -> None:
        """Count the calls."""
        self.closed += 1


class FakeVirtualCameras:
    """Creates fake cameras, as `pyvirtualcam.Camera` does; raises `failure` if given."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.opened: list[FakeVirtualCamera] = []

    def __call__(self, width: int, height: int, fps: float, **keywords: Any) -> FakeVirtualCamera:
        """Open a camera."""
        if self.failure is not None:
            raise self.failure
        camera = FakeVirtualCamera(width, height, fps, **keywords)
        self.opened.append(camera)
        return camera
