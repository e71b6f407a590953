"""The video file sink: H.264 in MP4 (or MOV, MKV) with exact timestamps, playable even if it is cut off.

The file is written in fragments of half a second that can be played as soon as they are on the disk; `close` turns it
into an ordinary file with one index. A killed recording therefore lacks about its last second (half of it in the
fragment, half in the encoder).

If the requested path is free, it is written directly. Otherwise the recording is written to NAME.part.mp4 and replaces
the existing file when it is complete, so that a failed recording destroys nothing.
"""

from __future__ import annotations

import contextlib
import errno
import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError
from engines.paths import expanded
from live.pipeline.frame import Frame, fit_into
from live.pipeline.frame_pool import FramePool
from live.recording.encoders import (
    Encoder,
    EncoderSettings,
    choose_encoder,
    fallback_warning,
    usual_scheduling,
)
from live.recording.film_join import join_segments
from live.recording.film_tracks import FilmTracks
from live.recording.recording_file import (
    FORMATS,
    RecordingFile,
    check_target,
    container_options,
    create_file,
    error_text,
    open_reserved,
    remove_empty,
)
from live.recording.video_encoder import (
    add_note,
    add_video_stream,
    bgr_to_yuv420,
    even_size,
    fitting_size,
    pad_edges,
    scaled,
    tag_colours,
)
from live.sinks.base import FrameSink

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


class VideoFileSink(FrameSink):
    """Writes every frame into a video file.

    A frame's timestamp is its `pts_s`, or for a live source the time since the capture of the first frame. A
    recording without sound that starts in the middle of a file (the first frame's id is not 0) starts at zero too.
    Timestamps are strictly increasing: a frame at or before its predecessor follows it by one tick (1/90000 s). A
    frame lasts until the next; the last one lasts for its `hold_s`, or for one frame interval.

    Attributes:
        name: "file:PATH".
        warning: Message for the user after `open` ("no H.264 encoder here: ...") or `close` ("the sound of ... breaks
            off"); None without one.
        encoder_name: FFmpeg's name of the encoder, once open.
        growing_path: The file being written; the requested path after a successful `close`.
    """

    live = False

    def __init__(
        self,
        path: Path | str,
        *,
        film: Path | None = None,
        settings: EncoderSettings | None = None,
        reserved: bool = False,
    ) -> None:
        """Check the path; nothing is written yet.

        Args:
            path: Ends in .mp4, .m4v, .mov or .mkv; the folder exists.
            film: The film that the frames come from. Its other tracks and its metadata are added: all of them once
                its last frame was sent, else those up to the last frame that was.
            settings: Of the video encoder.
            reserved: The path is an empty file that `reserve` created. It is written directly, and deleted if nothing
                was written.

        Raises:
            SinkError: No video can be written to this path.
            OptionsError: The path names the home folder of an unknown user.
        """
        self._path = expanded(str(path))
        self.name = f"file:{path}"
        self.warning: str | None = None
        self.encoder_name = ""
        self.growing_path = self._path
        self._film = film
        self._settings, self._is_reserved = settings or EncoderSettings(), reserved
        self._file: RecordingFile | None = None
        self._tracks: FilmTracks | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._is_failed = self._is_playable = False
        self._held: Packet[Any] | None = None  # until the next one shows how long it lasts
        self._pool = FramePool()
        self._last_ticks: int | None = None
        self._hold_s: float | None = None
        self._note, self._is_note_written = "", False
        check_target(self._path)

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Create the file and the encoder.

        Raises:
            SinkError: The file cannot be created, no encoder works, or the film does not exist.
            OptionsError: The encoder does not work with the settings.
        """
        check_target(self._path)
        rate = Fraction(fps if math.isfinite(fps) and 1 <= fps <= 1000 else 30).limit_denominator(1001)
        self._frame_wh, self._size_wh = size_wh, fitting_size(size_wh, self._settings.size_wh)
        self._padded_wh, self._rate = even_size(self._size_wh), rate
        encoder = choose_encoder(self._settings, FORMATS[self._path.suffix.lower()], self._padded_wh, rate)
        if encoder is None:
            got = "no video encoder of this PyAV takes it"
            asked = f"writing {self._path} at {self._size_wh[0]}x{self._size_wh[1]}"
            raise SinkError(asked, got, "pip install --upgrade av")
        try:
            if self._film is not None:
                self._tracks = FilmTracks(self._film, FORMATS[self._path.suffix.lower()])
            self._start(encoder)
        except BaseException as error:
            self._discard()
            if isinstance(error, OSError):
                raise self._write_error(error) from None
            raise
        self.encoder_name = encoder.name
        self.warning = fallback_warning(encoder, self._settings) or None

    def _start(self, encoder: Encoder) -> None:
        import av

        if self._is_reserved:
            descriptor, self._is_reserved = open_reserved(self._path), False
        else:
            descriptor, self.growing_path = create_file(self._path)
        self._file = RecordingFile(descriptor)
        format_name = FORMATS[self._path.suffix.lower()]
        is_apple = self._tracks is not None and self._tracks.has_apple_metadata
        options = container_options(format_name, has_apple_metadata=is_apple)
        self._container = av.open(self._file, "w", format=format_name, options=options)
        self._stream = add_video_stream(self._container, encoder, self._settings, self._padded_wh, self._rate)
        self._tick_s = Fraction(1, encoder.ticks_per_s)
        if self._tracks is not None:
            self._tracks.add_to(self._container)

    def send(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            SinkError: The disk is full, or the disk or the encoder failed. What was written before can be played.
        """
        import av

        if self._container is None or self._stream is None or self._is_failed:
            return
        if self._last_ticks is None:
            starts_at_zero = frame.pts_s is not None and (frame.frame_id == 0 or self._film is not None)
            self._start_s = 0.0 if starts_at_zero else frame.time_s
            self._matrix = frame.colour.matrix
            tag_colours(self._stream, frame.colour)
            add_note(self._container, frame.note)
            self._is_note_written = bool(frame.note)
        self._note = self._note or frame.note
        position_s = frame.time_s - self._start_s
        ticks = round(position_s / self._tick_s)
        ticks = max(ticks, 0 if self._last_ticks is None else self._last_ticks + 1)
        try:
            picture_bgr = scaled(fit_into(frame.bgr, self._frame_wh), self._size_wh)
            picture_bgr = pad_edges(picture_bgr, self._padded_wh)
            picture = av.VideoFrame.from_ndarray(bgr_to_yuv420(picture_bgr, self._pool, self._matrix), format="yuv420p")
            picture.pts, picture.time_base = ticks, self._tick_s
            if self._tracks is not None:
                self._tracks.write_until(position_s)
            with usual_scheduling() if self._last_ticks is None else contextlib.nullcontext():  # it is opened now
                packets = self._stream.encode(picture)
            self._write(packets)
        except (OSError, ValueError) as error:
            self._is_failed = True
            raise self._write_error(error) from None
        self._last_ticks, self._hold_s = ticks, frame.hold_s

    def _write(self, packets: list[Packet[Any]]) -> None:
        assert self._container is not None and self._file is not None
        for packet in packets:
            if self._held is not None:
                self._held.duration = (packet.dts or 0) - (self._held.dts or 0)
                self._container.mux(self._held)
            self._held = packet
        try:
            self._file.flush_fragments()
        finally:
            self._is_playable = self._file.fragments > 0

    def close(self) -> None:
        """Complete the file and give it its name. A recording without playable content leaves no file.

        Raises:
            SinkError: The file could not be completed; the message names the playable part.
        """
        if self._file is None:
            if self._is_reserved:
                remove_empty(self._path)
            return
        if self._last_ticks is None:
            self._discard()
            return
        try:
            if self._file.failure is None:
                self._finish()
        except (OSError, ValueError) as error:
            self._is_failed = True
            raise self._write_error(error) from None
        finally:
            self._release()
            if not self._is_playable:
                self.growing_path.unlink(missing_ok=True)

    def _finish(self) -> None:
        assert self._container is not None and self._stream is not None and self._file is not None
        if not self._is_failed:  # a failed encoder is not flushed
            self._write(self._stream.encode(None))
        if self._held is not None:
            self._held.duration = round((self._hold_s or 1 / self._rate) / self._tick_s)
            self._container.mux(self._held)
        if self._tracks is not None and self._last_ticks is not None:
            end_s = float(self._last_ticks * self._tick_s + 1 / self._rate)
            self._tracks.finish(end_s if self._hold_s is None else math.inf)
        self._container.close()
        self._file.finish()
        self._is_playable = self._held is not None
        if self._tracks is not None:
            self._tracks.check(self.growing_path)
            self.warning = "; ".join(filter(None, (self.warning, self._tracks.warning))) or None
        self._release()
        if self._note and not self._is_note_written:  # the header was written with the first frame
            self._write_note()
        if self.growing_path != self._path and not self._is_failed:
            self.growing_path.replace(self._path)
            self.growing_path = self._path

    def _write_note(self) -> None:
        """Write the file again with its note, without encoding it again."""
        noted = self.growing_path.with_name(f".note-{self.growing_path.name}")
        try:
            join_segments([self.growing_path], self.growing_path, noted, note=self._note)
            noted.replace(self.growing_path)
        finally:
            noted.unlink(missing_ok=True)

    def _release(self) -> None:
        """Close everything. What FFmpeg writes meanwhile is not flushed, so the file remains as it is."""
        container, file, tracks = self._container, self._file, self._tracks
        self._container = self._stream = self._file = self._tracks = None
        for part in (container, tracks):
            if part is not None:
                with contextlib.suppress(OSError, ValueError):
                    part.close()
        if file is not None:
            file.close_descriptor()

    def _discard(self) -> None:
        """Undo an `open` that failed, or that was followed by no frame."""
        has_file = self._file is not None
        self._release()
        if has_file:
            self.growing_path.unlink(missing_ok=True)

    def _write_error(self, error: Exception) -> SinkError:
        code = error.errno if isinstance(error, OSError) else None
        is_full = code in (errno.ENOSPC, getattr(errno, "EDQUOT", -1), errno.EFBIG)
        got = "no room is left on the disk" if is_full else error_text(error)
        do = "free some space, or name a file on another disk" if is_full else "name a file in a folder of your own"
        if self._is_playable and self.growing_path.exists():
            do += f"; what was recorded until then plays: {self.growing_path}"
        return SinkError(f"writing {self._path}", got, do)
