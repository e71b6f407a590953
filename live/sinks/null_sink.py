"""The sink that takes frames and keeps nothing: for measuring, and for runs that only want the report."""

from __future__ import annotations

from live.pipeline.frame import Frame
from live.sinks.base import FrameSink


class NullSink(FrameSink):
    """Counts frames.

    Attributes:
        frames: how many were sent.
    """

    name = "null"
    live = False
    main_thread = False

    def __init__(self) -> None:
        self.frames = 0

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Nothing to get ready."""

    def send(self, frame: Frame) -> None:
        """Count it."""
        self.frames += 1

    def close(self) -> None:
        """Nothing to let go of."""
