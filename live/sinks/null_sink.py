"""A sink that discards frames, for measurements and for runs of which only the report is needed."""

from __future__ import annotations

from live.pipeline.frame import Frame
from live.sinks.base import FrameSink


class NullSink(FrameSink):
    """Counts frames.

    Attributes:
        frames: Number of frames sent.
    """

    name = "null"
    live = False

    def __init__(self) -> None:
        self.frames = 0

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Do nothing."""

    def send(self, frame: Frame) -> None:
        """Count the frame."""
        self.frames += 1

    def close(self) -> None:
        """Do nothing."""
