"""A video file as a source of frames: upright, in true colours, each at its own time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from engines.errors import SourceError
from live.pipeline.frame import Frame, ImageU8
from live.sources.base import FrameSource, SourceInfo
from live.sources.frame_decoder import StreamClock, ToBgr
from live.sources.pace import Pace

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer

_NO_VIDEO = ("tty", "image2")  # what FFmpeg makes of text files and pictures
_LISTS = ("hls", "concat", "dash", "sdp", "imf")  # texts that name other files or addresses, which would be opened
MOST_PIXELS = 8192 * 8192  # of one picture: a false size in a header would take gigabytes
_LIMITS = {"max_pixels": str(MOST_PIXELS)}
_ALONE = {"protocol_whitelist": "file"}  # whatever a file says: nothing is fetched from the network
_REMEDY = "check that it is a video file and plays elsewhere"


class VideoSource(FrameSource):
    """A video file. Every frame comes, in order; `pts_s` counts from the beginning of the file, as its sound does.

    Args:
        path: anything FFmpeg can read.
        pace: True lets the frames come at their own times (for playing into a camera or a window); late ones come
            at once. False gives them as fast as they are read.

    Attributes:
        warning: what was wrong with a file that could be read only in part; None where all is well. Known at the end.
    """

    live = False

    def __init__(self, path: Path | str, *, pace: bool = False) -> None:
        self.warning: str | None = None
        self._path = Path(path)
        self._asked = f"video '{path}'"
        self._closed = threading.Event()
        self._busy = threading.Lock()
        self._pace = Pace(self._closed, catch_up=True) if pace else None
        self._container: InputContainer | None = None
        self._frames: Iterator[VideoFrame] = iter(())
        self._waiting: tuple[ImageU8, float] | None = None
        self._frame_id, self._broken_packets, self._cut = 0, 0, False
        self._clock = StreamClock(1 / 30, 0.0)
        self._unit_s: Fraction | None = None
        self._ends_s: float | None = None
        self._has_audio = False

    @property
    def has_audio(self) -> bool:
        """Whether the file has a sound track; known once open."""
        return self._has_audio

    @property
    def audio_path(self) -> Path | None:
        """Where a sink finds the sound; None where there is none."""
        return self._path if self._has_audio else None

    def open(self) -> SourceInfo:
        """Open the file and decode its first frame.

        Raises:
            SourceError: no such file, no video in it, or not a single frame can be read.
        """
        with self._busy:
            try:
                info = self._open()
            finally:
                if self._waiting is None or self._closed.is_set():
                    self._let_go()
            return info

    def read(self) -> Frame | None:
        """The next frame; None after the last.

        Raises:
            SourceError: a frame cannot be turned into a picture.
            TimeoutError: paced, and the next frame is more than a second away.
        """
        with self._busy:
            if not self._closed.is_set() and self._waiting is None:
                self._waiting = self._decode()
            if self._waiting is None or self._closed.is_set():
                self._let_go()
                return None
            bgr, pts_s = self._waiting
            if self._pace is not None and not self._pace.hold(pts_s):
                self._let_go()
                return None
            self._waiting = None
            self._frame_id += 1
            return Frame(bgr, self._frame_id - 1, time.monotonic(), pts_s)

    def close(self) -> None:
        """Let go of the file; a `read` that waits or decodes just now lets go itself."""
        self._closed.set()
        if self._busy.acquire(timeout=1.0):
            try:
                self._let_go()
            finally:
                self._busy.release()

    def _open(self) -> SourceInfo:
        import av

        if not self._path.is_file():
            got = "that is no file" if self._path.exists() else "there is no such file"
            raise SourceError(self._asked, got, "check the name")
        try:
            self._container = av.open(str(self._path), metadata_errors="replace", options=_LIMITS | _ALONE)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(self._asked, *_why_unreadable(self._path, error)) from None
        stream = self._video_stream(self._container)
        fps = _nominal_fps(self._container, stream)
        stream.codec_context.options = dict(_LIMITS)
        stream.thread_type = "AUTO"  # frames are decoded side by side
        self._has_audio = bool(self._container.streams.audio)
        zero_s = (self._container.start_time or 0) / 1e6
        self._clock, self._ends_s = StreamClock(1 / fps, zero_s), _end_s(self._container, stream, zero_s)
        self._unit_s = stream.time_base
        self._to_bgr = ToBgr(stream.sample_aspect_ratio)
        self._frames = self._decoded(self._container, stream)
        self._waiting = self._decode()
        if self._waiting is None:
            raise SourceError(self._asked, *_why_no_frame(stream))
        height, width = self._waiting[0].shape[:2]
        return SourceInfo(self._path.name, (width, height), fps, stream.frames or None)

    def _video_stream(self, container: InputContainer) -> VideoStream:
        if container.format.name.split(",")[0] in _LISTS:
            raise SourceError(self._asked, "this is a list of other files", "name the video itself")
        if container.format.name in _NO_VIDEO or container.format.name.endswith("_pipe"):
            raise SourceError(self._asked, "this is no video", _REMEDY)
        for stream in container.streams.video:
            cover = "attached_pic" in str(getattr(stream, "disposition", ""))  # a music file's picture
            if stream.codec_context is not None and not cover:
                return stream
        got = "its kind of video is unknown here" if container.streams.video else "there is no picture in it"
        raise SourceError(self._asked, got, _REMEDY)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in self._packets(container, stream):
            yield from self._frames_of(packet, stream)

    def _frames_of(self, packet: Packet[VideoStream] | None, stream: VideoStream) -> list[VideoFrame]:
        import av

        try:
            return stream.decode(packet)
        except av.FFmpegError:
            self._broken_packets += 1
            return []

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
        """All packets and the flush at the end; a last packet that is cut off would only give a smeared frame."""
        import av

        held: Packet[VideoStream] | None = None
        try:
            for packet in container.demux(stream):
                if packet.size == 0:  # the demuxer's own flush
                    break
                if held is not None:
                    yield held
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield packet
        except av.FFmpegError:
            self._cut = True
        self._cut = self._cut or held is not None
        yield None

    def _decode(self) -> tuple[ImageU8, float] | None:
        """The next picture and its place; None at the end, where the warning is written."""
        import av

        frame = next(self._frames, None)
        if frame is None:
            self._warn()
            return None
        unit_s = frame.time_base or self._unit_s  # the frames of the final flush come without
        pts_s = self._clock.place_s(None if frame.pts is None or not unit_s else float(frame.pts * unit_s))
        try:
            return self._to_bgr(frame), pts_s
        except (av.FFmpegError, ValueError) as error:
            got = f"a frame of format {frame.format.name} cannot be shown ({error})"
            raise SourceError(self._asked, got, "convert the file") from None

    def _warn(self) -> None:
        last_s, frame_s = self._clock.last_s, self._clock.frame_s
        if self._ends_s is not None and last_s is not None and last_s + frame_s < self._ends_s - max(0.25, 3 * frame_s):
            self._cut = True
        if self._cut:
            self.warning = f"the file ends in the middle; {self._frame_id} frames were read"
        elif self._broken_packets:
            self.warning = f"{self._broken_packets} damaged places were skipped; {self._frame_id} frames were read"

    def _let_go(self) -> None:
        container, self._container = self._container, None
        self._frames, self._waiting = iter(()), None
        if container is not None:
            container.close()


def _why_unreadable(path: Path, error: Exception) -> tuple[str, str]:
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as denied:
        return f"it cannot be read ({denied.strerror})", "allow this user to read it"
    if not start:
        return "the file is empty", "make or copy it again"
    if start[4:8] == b"ftyp":  # an MP4 keeps its index at the end until it is finished
        return "the recording was never finished, its index is missing", "record or copy it again"
    return f"this is no video ({getattr(error, 'strerror', None) or error})", _REMEDY


def _why_no_frame(stream: VideoStream) -> tuple[str, str]:
    if not stream.width * stream.height:  # FFmpeg itself did not believe the size
        return f"no frame of it can be read; one may have {MOST_PIXELS / 1e6:.0f} million pixels", _REMEDY
    return "not one frame of it can be read", _REMEDY


def _nominal_fps(container: InputContainer, stream: VideoStream) -> float:
    """The stream's mean rate; without any timestamps (a bare .h264 file) the rate written in the pictures' headers."""
    rates = [stream.average_rate, stream.guessed_rate]
    for rate in rates if container.start_time is not None else reversed(rates):
        if rate and 0.1 <= rate <= 1000:
            return float(rate)
    return 30.0


def _end_s(container: InputContainer, stream: VideoStream, zero_s: float) -> float | None:
    """Where the header says the pictures end; None where it does not say (the whole may end with the sound)."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - zero_s
    told = stream.metadata.get("DURATION", "").split(":")  # Matroska: 00:00:04.023000000
    if len(told) == 3:
        with suppress(ValueError):
            return int(told[0]) * 3600 + int(told[1]) * 60 + float(told[2])
    alone = len(container.streams) == 1 and container.duration is not None
    return float(container.duration or 0) / 1e6 if alone else None
