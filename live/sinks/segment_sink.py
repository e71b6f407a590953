"""Writes the frames of one segment of a film, without its overlap, and keeps those after both of its seams."""

from __future__ import annotations

from dataclasses import replace

from live.pipeline.frame import Frame
from live.sinks.base import FrameSink
from live.sinks.seam_frames import SeamFrames
from live.sinks.video_file import VideoFileSink
from live.sources.segment_source import FilmSegment


class SegmentSink(FrameSink):
    """Hands the frames of a segment to a video file, except those after its first frame that fade into it.

    Args:
        sink: The file.
        segment: See `SegmentSource`, which delivers its frames.

    Attributes:
        frames: Number of frames in the file, and in `begin`.
        begin: The first frames, which are not in the file; none of a film's first segment.
        after: Those after the last one, with which the next segment begins.
    """

    live = False

    def __init__(self, sink: VideoFileSink, segment: FilmSegment) -> None:
        self.name = sink.name
        self.frames = 0
        self.begin, self.after = SeamFrames(), SeamFrames()
        self._sink, self._segment, self._fps = sink, segment, 0.0

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """See the base class."""
        self._fps = fps
        self._sink.open(size_wh=size_wh, fps=fps)

    def send(self, frame: Frame) -> None:
        """See the base class."""
        if self._segment.holds(frame.time_s):
            self.frames += 1
            if self._segment.fades_in(frame.time_s):
                self.begin.add(frame, self._fps)
            else:
                self._sink.send(replace(frame, frame_id=0))  # its time counts from the start of the film
        elif frame.time_s > self._segment.begin_s:
            self.after.add(frame, self._fps)

    def close(self) -> None:
        """See the base class."""
        try:
            self._sink.close()
        finally:
            self.warning = self._sink.warning
