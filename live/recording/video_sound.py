"""The sound of a recording: copied from another file, in step with the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

# What each container takes as it is, and what players of it can play. The rest becomes AAC.
_MP4_CODECS = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "alac", "flac"})
COPIED_CODECS = {
    "mp4": _MP4_CODECS,
    "mov": _MP4_CODECS - {"opus", "flac"} | {"pcm_s16le", "pcm_s24le"},
    "matroska": _MP4_CODECS | {"vorbis", "pcm_s16le", "pcm_s24le", "dts", "dca"},
}
AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BIT_RATES = {"mono": "96k", "stereo": "160k", "5.1": "384k"}


class SoundTrack:
    """Reads the first sound stream of a file and writes it beside the pictures, up to a time at a time.

    Time counts from the beginning of the sound's file (its earliest stamp), as the pictures' `pts_s` of the same file
    does: what is heard 2.0 s into it plays with the picture whose `pts_s` is 2.0. A sound that cannot be read to its
    end does not end the recording; `warning` then says so.

    Attributes:
        warning: what the user should know ("no sound: clip.avi has none"); None where all is as asked.
        codec: of the copied or new sound; empty where there is none.
    """

    def __init__(self, path: Path, format_name: str) -> None:
        """Open the file.

        Args:
            path: the file with the sound.
            format_name: of the container that it will go into: mp4, mov or matroska.

        Raises:
            SinkError: there is no such file.
        """
        import av

        self.warning: str | None = None
        self.codec = ""
        self._zero_s = 0.0
        # A codec's warm-up lies before zero. Matroska has no place for it and would push everything back.
        self._earliest_s = 0.0 if format_name == "matroska" else float("-inf")
        self._path = path
        self._input: InputContainer | None = None
        self._output: OutputContainer | None = None
        self._stream: AudioStream | None = None
        self._is_begun = False
        self._packets: Iterator[Packet[Any]] = iter(())
        self._waiting: Packet[Any] | None = None
        self._unpack: Callable[[Packet[Any]], list[Packet[Any]]] = lambda packet: [packet]
        try:
            self._input = av.open(str(path), "r", options={"protocol_whitelist": "file"})
        except FileNotFoundError:
            raise SinkError(f"sound from {path}", "there is no such file", "check the name") from None
        except (av.error.FFmpegError, OSError, ValueError) as failure:
            self.warning = f"no sound: {path.name} cannot be read ({_reason(failure)})"
            return
        source = next(iter(self._input.streams.audio), None)
        if source is None:
            self.warning = f"no sound: {path.name} has none"
            return
        self._zero_s = (self._input.start_time or 0) / 1e6
        self._source, self._packets = source, self._input.demux(source)
        if self._next_packet() is None:
            self.warning = self.warning or f"no sound: {path.name} has an empty sound track"
            return
        name = source.codec_context.name
        self._is_copied = name in COPIED_CODECS[format_name]
        self.codec = name if self._is_copied else "aac"
        if not self._is_copied:
            self.warning = f"{path.name}'s {name} sound becomes AAC, which {format_name} can hold"

    def join(self, container: OutputContainer) -> None:
        """Add the stream to a container that is not yet being written."""
        if not self.codec:
            return
        from av.bitstream import BitStreamFilterContext

        self._output, source = container, self._source.codec_context
        if self._is_copied:
            self._stream = container.add_stream_from_template(self._source)
            if source.name == "aac" and not source.extradata:  # as in broadcasts: every packet carries its own header
                self._unpack = BitStreamFilterContext("aac_adtstoasc", self._source).filter
            return
        rate_hz = source.sample_rate if source.sample_rate in AAC_RATES_HZ else 48000
        layout = source.layout.name if source.layout.name in BIT_RATES else "stereo"
        self._stream = container.add_stream("aac", rate=rate_hz, options={"b": BIT_RATES[layout]}, layout=layout)

    def write_until(self, until_s: float) -> None:
        """Write what begins before `until_s` and is not yet written.

        What is wrong with the sound only ends the sound.
        """
        while (packet := self._next_packet()) is not None:
            start_s = self._start_s(packet)
            if start_s is not None and start_s >= until_s:
                return
            self._waiting = None
            if start_s is not None and start_s >= self._earliest_s:
                self._write(packet)

    def finish(self, end_s: float) -> None:
        """Write the rest up to `end_s`, the end of the last picture."""
        self.write_until(end_s)
        if not self._is_begun and self.codec in ("ac3", "eac3") and (packet := self._next_packet()) is not None:
            self._write(packet)  # a track of AC-3 cannot be described, and the file not finished, without one packet
        if self._stream is not None and self._output is not None and not self._is_copied and self._is_begun:
            self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Let go of the sound's file; idempotent."""
        self._packets, self._waiting, self._stream = iter(()), None, None
        if self._input is not None:
            self._input.close()
            self._input = None

    def _start_s(self, packet: Packet[Any]) -> float | None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return None if ticks is None or packet.time_base is None else float(ticks * packet.time_base) - self._zero_s

    def _next_packet(self) -> Packet[Any] | None:
        import av

        if self._waiting is None:
            try:
                self._waiting = next((one for one in self._packets if one.size), None)
            except (av.error.FFmpegError, OSError, ValueError) as failure:
                self._end_early(failure)
        return self._waiting

    def _end_early(self, failure: Exception) -> None:
        self.warning = f"the sound of {self._path.name} breaks off: {_reason(failure)}"
        self._packets, self._waiting = iter(()), None

    def _write(self, packet: Packet[Any]) -> None:
        """Into the container; the container's own file takes everything, so what fails here is the sound."""
        import av

        if self._stream is None or self._output is None:
            return
        shift = round(self._zero_s / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        try:
            time_base = packet.time_base
            for one in self._unpack(packet) if self._is_copied else self._encode(packet):
                one.stream = self._stream
                if self._is_copied:
                    one.time_base = time_base  # PyAV 14 loses it while unpacking
                self._output.mux(one)
            self._is_begun = True
        except (av.error.FFmpegError, ValueError) as failure:
            self._end_early(failure)

    def _encode(self, packet: Packet[Any]) -> list[Packet[Any]]:
        import av

        try:
            frames: list[Any] = packet.decode()
        except av.error.InvalidDataError as failure:  # one bad packet leaves a gap; the next one may be whole
            self.warning = f"the sound of {self._path.name} has gaps: {_reason(failure)}"
            return []
        return [one for frame in frames for one in self._stream.encode(frame)] if self._stream is not None else []


def _reason(failure: Exception) -> str:
    return (getattr(failure, "strerror", None) or str(failure) or type(failure).__name__).rstrip(".").lower()
