"""Joins the painted segments of a film, without encoding them again, and adds the film's other tracks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engines.errors import SinkError
from live.recording.film_tracks import FilmTracks
from live.recording.recording_file import FORMATS, RecordingFile, container_options, create_file, error_text
from live.recording.video_encoder import add_note
from live.sources.stream_clock import picture_stream

if TYPE_CHECKING:
    from av.packet import Packet


def join_segments(segments: Sequence[Path], film: Path, output: Path, *, note: str = "") -> str | None:
    """Write a new file with the pictures of the segments and the sound, subtitles and metadata of the film.

    Args:
        segments: As `SegmentSink` wrote them, in order.
        film: The film that they are segments of.
        output: The file; it does not exist.
        note: Added to the comment of the film, as are those of the segments.

    Returns:
        One line that names what could not be kept of the film; None if all is there.

    Raises:
        SinkError: A segment cannot be read or was encoded differently, or the file cannot be written.
    """
    import av

    try:
        tracks = FilmTracks(film, FORMATS[output.suffix.lower()])
        try:
            _join(segments, output, tracks, _rate(film), note)
            tracks.check(output)
        finally:
            tracks.close()
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise SinkError(f"joining {output.name}", error_text(error), "try again") from None
    return tracks.warning


def _join(segments: Sequence[Path], output: Path, tracks: FilmTracks, rate: Fraction | None, note: str) -> None:
    import av

    format_name = FORMATS[output.suffix.lower()]
    options = container_options(format_name, has_apple_metadata=tracks.has_apple_metadata)
    file = RecordingFile(create_file(output)[0])
    try:
        with av.open(str(segments[0])) as first, av.open(file, "w", format=format_name, options=options) as container:
            template = first.streams.video[0]
            stream: Any = container.add_stream_from_template(template)
            stream.time_base, stream.codec_context.framerate = template.time_base, rate
            tracks.add_to(container)
            add_note(container, note or _note_of(segments))
            for packet in _timed(_packets(segments, template.codec_context.extradata)):
                tracks.write_until(float((packet.pts or 0) * packet.time_base))
                packet.stream = stream
                container.mux(packet)
                file.flush_fragments()
            tracks.finish(math.inf)
        file.finish()
    finally:
        file.close_descriptor()


def _note_of(segments: Sequence[Path]) -> str:
    """Return the first comment of a segment, which holds nothing else of the film."""
    import av

    for path in segments:
        with av.open(str(path)) as container:
            if note := container.metadata.get("comment"):
                return str(note)
    return ""


def _rate(film: Path) -> Fraction | None:
    """Return the mean frame rate of a film, which Matroska files state."""
    import av

    with av.open(str(film), metadata_errors="replace", options={"protocol_whitelist": "file"}) as container:
        stream = picture_stream(container)
        return stream.average_rate if stream is not None else None


def _packets(segments: Sequence[Path], extradata: bytes | None) -> Iterator[Packet[Any]]:
    """Yield the packets of all segments. Raises ValueError if the encoders of two segments differ."""
    import av

    for path in segments:
        with av.open(str(path)) as container:
            if container.streams.video[0].codec_context.extradata != extradata:
                raise ValueError(f"{path.name} was encoded by another version or with other settings")
            yield from (packet for packet in container.demux(video=0) if packet.size)


def _timed(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    """Let each packet last until the next one: the last one of a segment states the usual duration only."""
    held: Packet[Any] | None = None
    for packet in packets:
        if held is not None:
            held.duration = (packet.dts or 0) - (held.dts or 0)
            yield held
        held = packet
    if held is not None:
        yield held
