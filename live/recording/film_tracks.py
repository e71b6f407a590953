"""What a film has besides its pictures: sound, subtitles, attachments, chapters and metadata, kept in a recording."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError
from live.recording.recording_file import error_text
from live.recording.track_writers import TrackWriter, open_writer
from live.sources.stream_clock import can_jump, is_jump, picture_stream, start_of_film_s

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

# Facts about the old file, which its copy has of its own.
_OWN_FACTS = (
    *("major_brand", "minor_version", "compatible_brands", "handler_name", "vendor_id"),
    *("encoder", "software", "duration", "bps", "number_of", "_stat"),
)
_APPLE = "com.apple.quicktime."
# Apple's names of what other containers call otherwise.
_GENERIC_NAMES = {f"{_APPLE}location.iso6709": "location", f"{_APPLE}creationdate": "date", f"{_APPLE}title": "title"}
# QuickTime has its own list of languages, in which some have their other ISO 639-2 code.
_MOV_LANGUAGES = {"deu": "ger", "nld": "dut", "ell": "gre", "isl": "ice", "zho": "chi", "sqi": "alb", "mkd": "mac"}


class FilmTracks:
    """Reads a film beside its pictures and writes its other tracks into a recording, a time interval at a time.

    Time counts from the start of the film, as the `pts_s` of its frames does: sound at 2.0 s is heard with the frame
    whose `pts_s` is 2.0. A track is copied where the container holds its codec, converted otherwise. A track that
    cannot be read to its end does not end the recording.

    Attributes:
        warning: One line that names what was converted, damaged or not kept; None if nothing was.
    """

    def __init__(self, path: Path, format_name: str) -> None:
        """Open the film.

        Args:
            path: The film; any file with sound.
            format_name: Format of the recording's container: mp4, mov or matroska.

        Raises:
            SinkError: The file does not exist.
        """
        import av

        self._path, self._format = path, format_name
        self._start_s = 0.0
        self._notes: list[str] = []
        self._lost: list[str] = []
        self._input: InputContainer | None = None
        self._output: OutputContainer | None = None
        self._writers: dict[int, TrackWriter] = {}  # by the index of the film's stream, as are the next two
        self._shifts: dict[int, int] = {}  # from the film's ticks to those of the recording
        self._ends: dict[int, int] = {}  # of the last packet, in ticks of the recording
        self._packets: Any = iter(())
        self._next: Packet[Any] | None = None
        options = {"protocol_whitelist": "file"}
        try:
            self._input = av.open(str(path), "r", metadata_errors="replace", options=options)
        except FileNotFoundError:
            raise SinkError(f"sound from {path}", "there is no such file", "check the name") from None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._notes.append(f"no sound: {error_text(error)}")
            return
        self._start_s = start_of_film_s(self._input)

    @property
    def warning(self) -> str | None:
        """See the class."""
        lost = [f"not kept: {', '.join(dict.fromkeys(self._lost))}"] if self._lost else []
        notes = [*dict.fromkeys(self._notes), *lost]
        return f"{self._path.name}: {'; '.join(notes)}" if notes else None

    @property
    def has_apple_metadata(self) -> bool:
        """Whether the film has metadata under Apple's names, as those of its phones."""
        return self._input is not None and any(key.startswith(_APPLE) for key in self._input.metadata)

    def add_to(self, container: OutputContainer) -> None:
        """Add the tracks, the chapters and the metadata to a container that is not being written yet."""
        from av.stream import AttachmentStream, Discard

        if self._input is None:
            return
        self._output = container
        pictures = picture_stream(self._input)
        for stream in self._input.streams:
            if pictures is not None and stream.index == pictures.index:
                container.streams.video[0].metadata.update(_kept_metadata(stream.metadata))
            elif writer := open_writer(stream, container, self._format, self._notes):
                self._writers[stream.index] = writer
                writer.stream.metadata.update(self._track_metadata(stream))
                writer.stream.disposition = stream.disposition
                continue
            elif isinstance(stream, AttachmentStream) and self._format == "matroska":
                container.add_attachment(stream.name or "file", stream.mimetype or "", stream.data)
            elif not (stream.type == "data" and ("timecode" in stream.metadata or self._input.chapters())):
                self._lost.append(_in_words(stream))
            stream.discard = Discard.all
        container.metadata.update(_kept_metadata(self._input.metadata))
        container.set_chapters([self._shifted(chapter) for chapter in self._input.chapters()])
        if self._writers:
            self._packets = self._input.demux(*(self._input.streams[index] for index in self._writers))

    def write_until(self, until_s: float) -> None:
        """Write the packets that start before `until_s` and are not written yet. Errors end only their track."""
        while (packet := self._peek()) is not None:
            ticks = packet.pts if packet.pts is not None else packet.dts
            if ticks is not None and ticks * packet.time_base >= until_s:
                return
            self._next = None
            self._write(packet)

    def finish(self, end_s: float) -> None:
        """Write the rest up to `end_s`."""
        self.write_until(end_s)
        while (packet := self._peek()) is not None and any(w.needs_a_packet for w in self._writers.values()):
            self._next = None
            if packet.stream.index in self._writers and self._writers[packet.stream.index].needs_a_packet:
                self._write(packet)
        for index in tuple(self._writers):
            self._mux(index, None)

    def check(self, recording: Path) -> None:
        """Compare the finished recording with the film, and note in `warning` what its container did not take."""
        import av

        if self._input is None:
            return
        with contextlib.suppress(av.error.FFmpegError), av.open(str(recording), metadata_errors="replace") as kept:
            self._lost += _missing(_kept_metadata(self._input.metadata), kept.metadata)
            for index, writer in self._writers.items():
                wanted = _kept_metadata(self._input.streams[index].metadata)
                self._lost += _missing(
                    {key: value for key, value in wanted.items() if key in ("language", "title") and value != "und"},
                    kept.streams[writer.stream.index].metadata,
                )
            if len(kept.chapters()) < len(self._input.chapters()):
                self._lost.append("chapters")

    def close(self) -> None:
        """Close the film; idempotent."""
        self._packets, self._next = iter(()), None
        if self._input is not None:
            self._input.close()
            self._input = None

    def _track_metadata(self, stream: Any) -> dict[str, str]:
        kept = _kept_metadata(stream.metadata)
        if self._format == "mov" and kept.get("language") in _MOV_LANGUAGES:
            kept["language"] = _MOV_LANGUAGES[kept["language"]]
        return kept

    def _shifted(self, chapter: Any) -> Any:
        shift = round(self._start_s / chapter["time_base"]) if self._start_s else 0
        return {**chapter, "start": max(0, chapter["start"] - shift), "end": max(0, chapter["end"] - shift)}

    def _peek(self) -> Packet[Any] | None:
        import av

        if self._next is None:
            try:
                self._next = next((packet for packet in self._packets if packet.size), None)
                if self._next is not None:
                    self._shift(self._next)
            except (av.error.FFmpegError, OSError, ValueError) as error:
                self._notes.append(f"the sound breaks off: {error_text(error)}")
                self._packets = iter(())
        return self._next

    def _shift(self, packet: Packet[Any]) -> None:
        """Count a packet's times from the start of the film; sound continues where the clock was reset."""
        index, end = packet.stream.index, self._ends.get(packet.stream.index)
        shift = self._shifts.get(index, -round(self._start_s / packet.time_base))
        ticks = packet.pts if packet.pts is not None else packet.dts
        if ticks is None:
            return
        if end is not None and packet.stream.type == "audio" and self._input is not None and can_jump(self._input):
            step = ticks + shift - end
            shift -= step if is_jump(float(step * packet.time_base)) else 0
        self._shifts[index], self._ends[index] = shift, ticks + shift + (packet.duration or 0)
        packet.pts = None if packet.pts is None else packet.pts + shift
        packet.dts = None if packet.dts is None else packet.dts + shift

    def _write(self, packet: Packet[Any]) -> None:
        if packet.stream.index in self._writers:  # else its track has failed
            self._mux(packet.stream.index, packet)

    def _mux(self, index: int, packet: Packet[Any] | None) -> None:
        """Write a packet, or the rest of a track; the recording takes all data, so an error comes from the track."""
        import av

        assert self._output is not None
        writer = self._writers[index]
        try:
            for output in writer.packets(packet):
                output.stream = writer.stream
                self._output.mux(output)
        except (av.error.FFmpegError, ValueError) as error:
            self._notes.append(f"the {writer.stream.type} track breaks off: {error_text(error)}")
            del self._writers[index]


def _kept_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return the metadata without facts about the file, also under the names that other containers use."""
    kept = {
        key: value
        for key, value in metadata.items()
        if not key.lower().startswith(_OWN_FACTS) and not (key.endswith("-eng") and key[:-4] in metadata)
    }
    for key, value in metadata.items():
        if (name := _GENERIC_NAMES.get(key.lower())) is not None:
            kept.setdefault(name, value)
    return kept


def _missing(wanted: dict[str, str], kept: dict[str, str]) -> list[str]:
    """Return the names of metadata that are not in a file, without those that are there under a generic name."""
    found = {key.lower() for key in kept}
    return [key for key in wanted if key.lower() not in found and _GENERIC_NAMES.get(key.lower()) not in found]


def _in_words(stream: Any) -> str:
    from av.stream import Disposition

    if stream.disposition & Disposition.attached_pic:
        return "cover art"
    owner = stream if getattr(stream, "codec_context", None) is None else stream.codec_context
    return f"{getattr(owner, 'name', None) or 'unknown'} {stream.type} track"  # damaged ones have no name
