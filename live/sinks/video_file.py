"""The video file sink: H.264 in MP4 (or MOV, MKV) with true timestamps, playable whenever it is cut off.

The file is written in fragments of half a second, each playable as soon as it is on the disk; a proper close turns the
whole into an ordinary file with one index. A recording that was killed therefore plays up to about its last second
(half of it waits in the fragment, half in the encoder).

It grows under the asked name where nothing lies there yet. Where a file does, it grows beside it as NAME.part.mp4 and
takes its place only when it is whole: nothing is destroyed by a recording that cannot be made or finished.
"""

from __future__ import annotations

import contextlib
import errno
import math
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError
from live.pipeline.frame import Frame, fit_into
from live.pipeline.frame_pool import FramePool
from live.recording.recording_file import RecordingFile, check_target, claim_name, from_home
from live.recording.video_encoder import Encoder, add_pictures, bgr_to_yuv420, pad_edges, padded_size, pick_encoder
from live.recording.video_sound import SoundTrack
from live.sinks.base import FrameSink

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
FRAGMENT_US = 500_000
_FFMPEG_8_1 = (62, 12)  # as its libavformat counts


class VideoFileSink(FrameSink):
    """Writes every frame into a video file.

    A frame's place in the file is its `pts_s`, or for a live source the time since the first frame was captured. A
    silent recording that joins a file in its middle (the first frame's id is not 0) begins at zero too. Places always
    grow: a frame that would lie at or before the one before it follows it by one tick (1/90000 s).

    Attributes:
        name: "file:PATH".
        warning: what the user should know after `open` ("no H.264 encoder here: ..."), or after `close` ("the sound
            of ... breaks off"); None where all is as asked.
        encoder_name: FFmpeg's name of the encoder that is used, once open.
        growing_path: where the recording grows; the asked path after a proper close.
    """

    live = False
    main_thread = False

    def __init__(self, path: Path | str, *, audio_from: Path | None = None) -> None:
        """Check the name; nothing is written yet.

        Args:
            path: ends in .mp4, .m4v, .mov or .mkv; the folder exists.
            audio_from: a file whose first sound stream goes along, in step with the frames' `pts_s`.

        Raises:
            SinkError: no video can be written under this name.
        """
        self._path = from_home(Path(path))
        self.name = f"file:{path}"
        self.warning: str | None = None
        self.encoder_name = ""
        self.growing_path = self._path
        self._audio_from = audio_from
        self._file: RecordingFile | None = None
        self._sound: SoundTrack | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._is_failed = self._is_playable = False
        self._packets = 0
        self._pool = FramePool()
        self._last_ticks: int | None = None
        check_target(self._path)

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Make the file and get the encoder ready.

        Raises:
            SinkError: the file cannot be made, no encoder works, or there is no file to take the sound from.
        """
        check_target(self._path)
        rate = Fraction(fps if math.isfinite(fps) and 1 <= fps <= 1000 else 30).limit_denominator(1001)
        self._size_wh, self._padded_wh, self._rate = size_wh, padded_size(size_wh), rate
        encoder = pick_encoder(self._padded_wh, rate)
        if encoder is None:
            got = "no video encoder of this PyAV takes it"
            raise SinkError(f"writing {self._path} at {size_wh[0]}x{size_wh[1]}", got, "pip install --upgrade av")
        try:
            if self._audio_from is not None:
                self._sound = SoundTrack(self._audio_from, FORMATS[self._path.suffix.lower()])
            self._start(encoder)
        except OSError as failure:
            self._abandon()
            raise self._write_error(failure) from None
        except BaseException:
            self._abandon()
            raise
        self.encoder_name = encoder.name
        self._warn(encoder.why, self._sound.warning if self._sound else None)

    def _start(self, encoder: Encoder) -> None:
        import av

        descriptor, self.growing_path = claim_name(self._path)
        self._file = RecordingFile(descriptor)
        format_name = FORMATS[self._path.suffix.lower()]
        options = _container_options(format_name)
        self._container = av.open(self._file, "w", format=format_name, options=options)
        self._stream = add_pictures(self._container, encoder, self._padded_wh, self._rate)
        self._tick_s = Fraction(1, encoder.ticks_per_s)
        if self._sound is not None:
            self._sound.join(self._container)

    def send(self, frame: Frame) -> None:
        """Encode one frame.

        Raises:
            SinkError: the disk is full, or it or the encoder failed. What was written until then plays.
        """
        import av

        if self._container is None or self._stream is None or self._is_failed:
            return
        if self._last_ticks is None:
            self._zero_s = self._zero_of(frame)
        place_s = (frame.pts_s if frame.pts_s is not None else frame.captured_s) - self._zero_s
        ticks = round(place_s / self._tick_s)
        ticks = max(ticks, 0 if self._last_ticks is None else self._last_ticks + 1)
        try:
            picture_bgr = pad_edges(fit_into(frame.bgr, self._size_wh), self._padded_wh)
            picture = av.VideoFrame.from_ndarray(bgr_to_yuv420(picture_bgr, self._pool), format="yuv420p")
            picture.pts, picture.time_base = ticks, self._tick_s
            if self._sound is not None:
                self._sound.write_until(place_s)
            self._write(self._stream.encode(picture))
        except (OSError, ValueError) as failure:
            self._is_failed = True
            raise self._write_error(failure) from None
        self._last_ticks = ticks

    def _zero_of(self, first: Frame) -> float:
        """The time, on the frames' own clock, at which the recording begins."""
        if first.pts_s is None:
            return first.captured_s
        is_joined_later = first.frame_id > 0 and self._audio_from is None
        return first.pts_s if is_joined_later else 0.0

    def _write(self, packets: list[Packet[Any]]) -> None:
        if self._container is None or self._file is None:
            return
        for packet in packets:
            packet.duration = round(1 / self._rate / self._tick_s)
            self._container.mux(packet)
        self._packets += len(packets)
        try:
            self._file.settle()
        finally:
            self._is_playable = self._file.fragments > 0

    def close(self) -> None:
        """Make the file whole and give it its name. A recording of which nothing can be played leaves no file.

        Raises:
            SinkError: the finishing failed; the message says where the playable part lies.
        """
        if self._file is None:
            return
        if self._last_ticks is None:
            self._abandon()
            return
        try:
            if self._file.failure is None:
                self._finish()
        except (OSError, ValueError) as failure:
            self._is_failed = True
            raise self._write_error(failure) from None
        finally:
            self._let_go()
            if not self._is_playable:
                self.growing_path.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._container is None or self._stream is None or self._file is None or self._last_ticks is None:
            return
        if self._sound is not None:
            self._sound.finish(float(self._last_ticks * self._tick_s + 1 / self._rate))
            self._warn(self.warning, self._sound.warning)
        if not self._is_failed:  # an encoder that failed is not asked for its last pictures
            self._write(self._stream.encode(None))
        self._container.close()
        self._file.finish()
        self._is_playable = self._packets > 0
        self._let_go()
        if self.growing_path != self._path and not self._is_failed:
            self.growing_path.replace(self._path)
            self.growing_path = self._path

    def _warn(self, *warnings: str | None) -> None:
        self.warning = "; ".join(dict.fromkeys(filter(None, warnings))) or None

    def _let_go(self) -> None:
        """Close whatever is open. What FFmpeg writes while it lets go is never settled, so the file stays as it is."""
        container, file, sound = self._container, self._file, self._sound
        self._container = self._stream = self._file = self._sound = None
        for part in (container, sound):
            if part is not None:
                with contextlib.suppress(OSError, ValueError):
                    part.close()
        if file is not None:
            file.let_go()

    def _abandon(self) -> None:
        """Undo an open that failed half-way, or that no frame followed."""
        is_claimed = self._file is not None
        self._let_go()
        if is_claimed:
            self.growing_path.unlink(missing_ok=True)

    def _write_error(self, failure: Exception) -> SinkError:
        code = failure.errno if isinstance(failure, OSError) else None
        is_full = code in (errno.ENOSPC, getattr(errno, "EDQUOT", -1), errno.EFBIG)
        got = "no room is left on the disk" if is_full else _reason(failure)
        do = "free some space, or name a file on another disk" if is_full else "name a file in a folder of your own"
        if self._is_playable and self.growing_path.exists():
            do += f"; what was recorded until then plays: {self.growing_path}"
        return SinkError(f"writing {self._path}", got, do)


def _container_options(format_name: str) -> dict[str, str]:
    """What FFmpeg's muxers need to be told so that a cut-off file plays and times are kept to the tick.

    `delay_moov` writes the header after the first packets, when their offsets (and AC-3's own header) are known.
    Before FFmpeg 8.1 it breaks a file that is also `hybrid_fragmented`; there the file simply stays in fragments.
    """
    import av

    options = {"flush_packets": "1", "max_interleave_delta": "1000000"}
    if format_name == "matroska":
        return {**options, "cluster_time_limit": str(FRAGMENT_US // 1000)}
    is_whole_later = av.library_versions["libavformat"] >= _FFMPEG_8_1
    flags = "hybrid_fragmented+delay_moov" if is_whole_later else "delay_moov"
    return {**options, "movflags": flags, "frag_duration": str(FRAGMENT_US), "movie_timescale": "90000"}


def _reason(failure: Any) -> str:
    return (getattr(failure, "strerror", None) or str(failure) or type(failure).__name__).rstrip(".").lower()
