"""The sound track of a recording: copied from another file, synchronous with the pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError
from live.recording.recording_file import error_text

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

# Codecs that each container holds and its players support. All others are converted to AAC.
_MP4_CODECS = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "alac", "flac"})
COPIED_CODECS = {
    "mp4": _MP4_CODECS,
    "mov": _MP4_CODECS - {"opus", "flac"} | {"pcm_s16le", "pcm_s24le"},
    "matroska": _MP4_CODECS | {"vorbis", "pcm_s16le", "pcm_s24le", "dts", "dca"},
}
AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
BIT_RATES = {"mono": "96k", "stereo": "160k", "5.1": "384k"}


class SoundTrack:
    """Reads the first sound stream of a file and writes it beside the pictures, a time interval at a time.

    Time counts from the start of the sound's file (its earliest timestamp), as the `pts_s` of frames of the same file
    does: sound at 2.0 s is heard with the frame whose `pts_s` is 2.0. Sound that cannot be read to its end does not
    end the recording; it sets `warning`.

    Attributes:
        warning: Message for the user ("no sound: clip.avi has none"); None without one.
        codec: Codec of the written sound; empty without sound.
    """

    def __init__(self, path: Path, format_name: str) -> None:
        """Open the file.

        Args:
            path: The file with the sound.
            format_name: Format of the output container: mp4, mov or matroska.

        Raises:
            SinkError: The file does not exist.
        """
        import av

        self.warning: str | None = None
        self.codec = ""
        self._start_s = 0.0
        # Codec priming lies before zero. Matroska cannot store it and would shift everything else.
        self._min_packet_s = 0.0 if format_name == "matroska" else float("-inf")
        self._path = path
        self._input: InputContainer | None = None
        self._output: OutputContainer | None = None
        self._stream: AudioStream | None = None
        self._has_written = False
        self._packets: Iterator[Packet[Any]] = iter(())
        self._next: Packet[Any] | None = None
        self._unpack: Callable[[Packet[Any]], list[Packet[Any]]] = lambda packet: [packet]
        try:
            self._input = av.open(str(path), "r", options={"protocol_whitelist": "file"})
        except FileNotFoundError:
            raise SinkError(f"sound from {path}", "there is no such file", "check the name") from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.warning = f"no sound: {path.name} cannot be read ({error_text(error)})"
            return
        source = next(iter(self._input.streams.audio), None)
        if source is None:
            self.warning = f"no sound: {path.name} has none"
            return
        self._start_s = (self._input.start_time or 0) / 1e6
        self._source, self._packets = source, self._input.demux(source)
        if self._peek_packet() is None:
            self.warning = self.warning or f"no sound: {path.name} has an empty sound track"
            return
        name = source.codec_context.name
        self._is_copied = name in COPIED_CODECS[format_name]
        self.codec = name if self._is_copied else "aac"
        if not self._is_copied:
            self.warning = f"{path.name}'s {name} sound becomes AAC, which {format_name} can hold"

    def add_to(self, container: OutputContainer) -> None:
        """Add the stream to a container that is not being written yet."""
        if not self.codec:
            return
        from av.bitstream import BitStreamFilterContext

        self._output, source = container, self._source.codec_context
        if self._is_copied:
            self._stream = container.add_stream_from_template(self._source)
            if source.name == "aac" and not source.extradata:  # ADTS, as in broadcasts: every packet has a header
                self._unpack = BitStreamFilterContext("aac_adtstoasc", self._source).filter
            return
        rate_hz = source.sample_rate if source.sample_rate in AAC_RATES_HZ else 48000
        layout = source.layout.name if source.layout.name in BIT_RATES else "stereo"
        self._stream = container.add_stream("aac", rate=rate_hz, options={"b": BIT_RATES[layout]}, layout=layout)

    def write_until(self, until_s: float) -> None:
        """Write the packets that start before `until_s` and are not written yet. Errors end only the sound."""
        while (packet := self._peek_packet()) is not None:
            packet_s = self._packet_start_s(packet)
            if packet_s is not None and packet_s >= until_s:
                return
            self._next = None
            if packet_s is not None and packet_s >= self._min_packet_s:
                self._write(packet)

    def finish(self, end_s: float) -> None:
        """Write the rest up to `end_s`, the end of the last frame."""
        self.write_until(end_s)
        if not self._has_written and self.codec in ("ac3", "eac3") and (packet := self._peek_packet()) is not None:
            self._write(packet)  # the header of an AC-3 track, and with it the file, needs at least one packet
        if self._stream is not None and self._output is not None and not self._is_copied and self._has_written:
            self._output.mux(self._stream.encode(None))

    def close(self) -> None:
        """Close the sound's file; idempotent."""
        self._packets, self._next, self._stream = iter(()), None, None
        if self._input is not None:
            self._input.close()
            self._input = None

    def _packet_start_s(self, packet: Packet[Any]) -> float | None:
        ticks = packet.pts if packet.pts is not None else packet.dts
        return None if ticks is None or packet.time_base is None else float(ticks * packet.time_base) - self._start_s

    def _peek_packet(self) -> Packet[Any] | None:
        import av

        if self._next is None:
            try:
                self._next = next((packet for packet in self._packets if packet.size), None)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                self._end_early(error)
        return self._next

    def _end_early(self, error: Exception) -> None:
        self.warning = f"the sound of {self._path.name} breaks off: {error_text(error)}"
        self._packets, self._next = iter(()), None

    def _write(self, packet: Packet[Any]) -> None:
        """Write to the container; its file object accepts all data, so an error here comes from the sound."""
        import av

        if self._stream is None or self._output is None:
            return
        shift = round(self._start_s / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - shift
        packet.dts = None if packet.dts is None else packet.dts - shift
        try:
            time_base = packet.time_base
            for output in self._unpack(packet) if self._is_copied else self._encode(packet):
                output.stream = self._stream
                if self._is_copied:
                    output.time_base = time_base  # PyAV 14 loses it in the bitstream filter
                self._output.mux(output)
            self._has_written = True
        except (av.error.FFmpegError, ValueError) as error:
            self._end_early(error)

    def _encode(self, packet: Packet[Any]) -> list[Packet[Any]]:
        import av

        try:
            frames: list[Any] = packet.decode()
        except av.error.InvalidDataError as error:  # a damaged packet leaves a gap; the next may be intact
            self.warning = f"the sound of {self._path.name} has gaps: {error_text(error)}"
            return []
        if self._stream is None:
            return []
        return [output for frame in frames for output in self._stream.encode(frame)]
