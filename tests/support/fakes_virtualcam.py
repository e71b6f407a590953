"""A stand-in for pyvirtualcam.Camera: the same calls and the same strictness, without a driver."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class FakeVirtualCamera:
    """Keeps what it is sent; refuses what the real one refuses."""

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
        """Keep a copy; raises like the real one on a wrong type or shape, and when unplugged."""
        if self.broken is not None:
            raise self.broken
        if frame.dtype != np.uint8:
            raise TypeError(f"unexpected frame dtype: {frame.dtype} != uint8")
        if frame.shape != (self.size_wh[1], self.size_wh[0], 3):
            raise ValueError(f"unexpected frame shape: {frame.shape}")
        assert frame.flags.c_contiguous
        self.frames.append(frame.copy())

    def close(self) -> None:
        """Count."""
        self.closed += 1


class FakeVirtualCameras:
    """A factory of them, as `pyvirtualcam.Camera` is; `failure` makes it refuse."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.opened: list[FakeVirtualCamera] = []

    def __call__(self, width: int, height: int, fps: float, **keywords: Any) -> FakeVirtualCamera:
        """Open one."""
        if self.failure is not None:
            raise self.failure
        camera = FakeVirtualCamera(width, height, fps, **keywords)
        self.opened.append(camera)
        return camera
