"""A video file as a frame source: upright, with correct colours and timestamps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from engines.errors import SourceError
from engines.runtime.base import CORES_VARIABLE, shared_cores
from live.pipeline.frame import Frame
from live.sources.base import FrameSource, SourceInfo
from live.sources.bgr_converter import BgrConverter, Picture
from live.sources.pace import Pace
from live.sources.stream_clock import LONGEST_S, StreamClock, can_jump, picture_stream, start_of_film_s

if TYPE_CHECKING:
    from av import Packet, VideoFrame, VideoStream
    from av.container import InputContainer

_NOT_VIDEO_FORMATS = ("tty", "image2")  # FFmpeg's demuxers of text files and pictures
_PLAYLIST_FORMATS = ("hls", "concat", "dash", "sdp", "imf")  # would open the files or addresses they name
MAX_PIXELS = 8192 * 8192  # of one frame: a false size in a header would allocate gigabytes
_DECODER_OPTIONS = {"max_pixels": str(MAX_PIXELS)}
_DEMUXER_OPTIONS = {**_DECODER_OPTIONS, "protocol_whitelist": "file"}  # no network access, whatever the file names
_REMEDY = "check that it is a video file and plays elsewhere"

_Timed = tuple[Picture, float, "float | None"]  # with its position and `Frame.hold_s`


class VideoSource(FrameSource):
    """A video file; every frame is returned, in order. `pts_s` counts from the start of the file, as its sound does.

    Pictures are read one ahead, so that the last frame is marked as such (`Frame.hold_s`).

    Args:
        path: A file that FFmpeg can read.
        pace: True returns frames in real time (playback to a camera or window), late frames at once; False as fast
            as they are read.

    Attributes:
        warning: What was wrong with a partly readable file; None if nothing. Set at the end of the file.
    """

    live = False

    def __init__(self, path: Path | str, *, pace: bool = False) -> None:
        self.warning: str | None = None
        self._path = Path(path)
        self._name = f"video '{path}'"
        self._closed = threading.Event()
        self._in_use = threading.Lock()
        self._pace = Pace(self._closed, catch_up=True) if pace else None
        self._container: InputContainer | None = None
        self._pictures: Iterator[_Timed] = iter(())
        self._next: _Timed | None = None
        self._frame_id, self._damaged_packets, self._is_truncated = 0, 0, False

    def open(self) -> SourceInfo:
        """Open the file and decode its first frame.

        Raises:
            SourceError: The file does not exist, has no video, or no frame can be decoded.
        """
        with self._in_use:
            try:
                return self._open()
            finally:
                if self._next is None or self._closed.is_set():
                    self._release()

    def read(self) -> Frame | None:
        """Return the next frame; None after the last, or once closed.

        Raises:
            SourceError: A frame cannot be converted to BGR.
            TimeoutError: With `pace`, the next frame is due in more than a second.
        """
        with self._in_use:
            if not self._closed.is_set() and self._next is None:
                self._next = next(self._pictures, None)
            if self._next is None or self._closed.is_set():
                self._release()
                return None
            picture, pts_s, hold_s = self._next
            if self._pace is not None and not self._pace.wait_until(pts_s):
                self._release()
                return None
            self._next = None
            self._frame_id += 1
            times = (self._frame_id - 1, time.monotonic(), pts_s)
            return Frame(picture.bgr, *times, colour=picture.colour, hold_s=hold_s)

    def close(self) -> None:
        """Close the file; a `read` that is in progress closes it itself."""
        self._closed.set()
        if self._in_use.acquire(timeout=1.0):
            self._release()
            self._in_use.release()

    def _open(self) -> SourceInfo:
        import av

        if not self._path.is_file():
            got = "that is no file" if self._path.exists() else "there is no such file"
            raise SourceError(self._name, got, "check the name")
        try:
            self._container = av.open(str(self._path), metadata_errors="replace", options=_DEMUXER_OPTIONS)
        except (av.FFmpegError, OSError) as error:
            raise SourceError(self._name, *_explain_unreadable(self._path, error)) from None
        stream = self._video_stream(self._container)
        fps = _nominal_fps(self._container, stream)
        stream.codec_context.options = dict(_DECODER_OPTIONS)
        stream.thread_type = "AUTO"  # decode several frames in parallel
        if CORES_VARIABLE in os.environ:  # one of several jobs
            stream.codec_context.thread_count = shared_cores()
        start_s = start_of_film_s(self._container)
        clock = StreamClock(1 / fps, start_s, can_jump=can_jump(self._container))
        end_s = _stated_end_s(self._container, stream, start_s)
        converter = BgrConverter(stream.sample_aspect_ratio, stream.time_base)
        self.notes = converter.notes
        if _has_alpha(stream):
            self.notes.append("its transparency is left out")
        self._pictures = self._timed(converter(self._decoded(self._container, stream)), clock, end_s)
        self._next = next(self._pictures, None)
        if self._next is None:
            has_size = stream.width * stream.height  # not if FFmpeg rejected it
            limit = "" if has_size else f"; one may have {MAX_PIXELS / 1e6:.0f} million pixels"
            raise SourceError(self._name, f"no frame of it can be read{limit}", _REMEDY)
        height, width = self._next[0].bgr.shape[:2]
        return SourceInfo(self._path.name, (width, height), fps, stream.frames or None)

    def _video_stream(self, container: InputContainer) -> VideoStream:
        if container.format.name.split(",")[0] in _PLAYLIST_FORMATS:
            raise SourceError(self._name, "this is a list of other files", "name the video itself")
        if container.format.name in _NOT_VIDEO_FORMATS or container.format.name.endswith("_pipe"):
            raise SourceError(self._name, "this is no video", _REMEDY)
        if (stream := picture_stream(container)) is not None:
            return stream
        got = "its video codec is not supported" if container.streams.video else "there is no picture in it"
        raise SourceError(self._name, got, _REMEDY)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        import av

        for packet in self._packets(container, stream):
            try:
                frames = stream.decode(packet)
            except av.FFmpegError:
                self._damaged_packets += 1
                continue
            yield from frames

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
        """Yield all packets and the final flush, without a truncated last packet, which would decode to artefacts."""
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
            self._is_truncated = True
        self._is_truncated = self._is_truncated or held is not None
        yield None

    def _timed(self, pictures: Iterator[Picture], clock: StreamClock, end_s: float | None) -> Iterator[_Timed]:
        """Yield each picture with its position in seconds, and the last also with its duration; then set `warning`."""
        import av

        held: tuple[Picture, float] | None = None
        count = 0
        try:
            for picture in pictures:
                if held is not None:
                    yield (*held, None)
                held, count = (picture, clock.position_s(picture.stamp_s)), count + 1
        except (av.FFmpegError, ValueError) as error:
            raise SourceError(self._name, f"its frames cannot be converted ({error})", "convert the file") from None
        if held is None:
            return
        own_s, ahead_s = held[0].duration_s, 0.0 if end_s is None else end_s - held[1]
        hold_s = own_s if 0 < own_s <= LONGEST_S else clock.frame_s
        if ahead_s > hold_s + max(0.25, 3 * clock.longest_s):
            self._is_truncated = True
        if not self._is_truncated:  # Matroska states only the end of the last picture
            hold_s = max(hold_s, ahead_s)
        self._set_warning(count)
        yield (*held, hold_s)

    def _set_warning(self, frames: int) -> None:
        read = f"frames that were read: {frames}"
        if self._is_truncated:
            self.warning = f"the file is truncated; {read}"
        elif self._damaged_packets:
            self.warning = f"damaged packets that were skipped: {self._damaged_packets}; {read}"

    def _release(self) -> None:
        container, self._container = self._container, None
        self._pictures, self._next = iter(()), None
        if container is not None:
            container.close()


def film_frames(path: Path) -> Generator[Frame, None, None]:
    """Yield the frames of a film in order. Raises SourceError if it cannot be read."""
    with closing(VideoSource(path)) as source:
        source.open()
        yield from iter(source.read, None)


def _explain_unreadable(path: Path, error: Exception) -> tuple[str, str]:
    """Return what is wrong with the file and what to do."""
    try:
        with path.open("rb") as file:
            start = file.read(12)
    except OSError as denied:
        return f"it cannot be read ({denied.strerror})", "allow this user to read it"
    if not start:
        return "the file is empty", "make or copy it again"
    if start[4:8] == b"ftyp":  # an MP4 has its index at the end until it is finished
        return "the recording was never finished, its index is missing", "record or copy it again"
    return f"this is no video ({getattr(error, 'strerror', None) or error})", _REMEDY


def _has_alpha(stream: VideoStream) -> bool:
    """Return whether the pictures have an alpha channel; that of WebM is beside the picture and not decoded."""
    channels = stream.format.components if stream.format is not None else ()
    return stream.metadata.get("alpha_mode") == "1" or any(channel.is_alpha for channel in channels)


def _nominal_fps(container: InputContainer, stream: VideoStream) -> float:
    """Return the stream's mean rate; without timestamps (a raw .h264 file) the rate in the codec headers."""
    rates = [stream.average_rate, stream.guessed_rate]
    for rate in rates if container.start_time is not None else reversed(rates):
        if rate and 0.1 <= rate <= 1000:
            return float(rate)
    return 30.0


def _stated_end_s(container: InputContainer, stream: VideoStream, start_s: float) -> float | None:
    """Return the end of the video stream as stated in the header; None if unknown (sound may last longer)."""
    if stream.duration is not None and stream.time_base is not None:
        return float((stream.duration + (stream.start_time or 0)) * stream.time_base) - start_s
    fields = stream.metadata.get("DURATION", "").split(":")  # Matroska: 00:00:04.023000000
    if len(fields) == 3:
        with suppress(ValueError):
            return int(fields[0]) * 3600 + int(fields[1]) * 60 + float(fields[2])
    is_only_stream = len(container.streams) == 1 and container.duration is not None
    return float(container.duration or 0) / 1e6 if is_only_stream else None
