"""Writers of a film's other tracks: packets copied, sound encoded as AAC, text subtitles converted."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from live.recording.recording_file import error_text

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.packet import Packet

# Sound that the players of a container support; Matroska's play whatever it holds.
_MP4_SOUND = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "alac", "flac", "dca"})
_SOUND = {"mp4": _MP4_SOUND, "mov": _MP4_SOUND - {"opus", "flac", "dca"} | {"pcm_s16le", "pcm_s24le", "pcm_s16be"}}
_TEXT_SUBTITLES = frozenset({"subrip", "srt", "ass", "ssa", "webvtt", "mov_text", "text", "cc_dec"})
_TEXT_FORM = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip"}
_AAC_RATES_HZ = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
# By the number of channels: unlabelled channels have FFmpeg's usual order.
_AAC_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "7.1", 8: "7.1"}
_AAC_BITS_PER_S = {1: 96_000, 2: 160_000}
_AC3 = ("ac3", "eac3")
_AC3_SYNC = b"\x0b\x77"
_ASS_HEADER = b"[Script Info]\nScriptType: v4.00+\n"


class TrackWriter:
    """Copies the packets of one stream.

    Args:
        source: Stream of the film.
        container: Output to which the stream is added.

    Attributes:
        stream: The added stream.
        needs_a_packet: Whether the header of the container still lacks a packet of this track.
    """

    def __init__(self, source: Any, container: OutputContainer) -> None:
        self.stream: Any = container.add_stream_from_template(source)
        name = source.codec_context.name
        self.needs_a_packet = name in _AC3
        self._starts_at_zero = container.format.name == "matroska" and name != "opus"
        self._unpack: Callable[[Packet[Any]], list[Packet[Any]]] = lambda packet: [packet]
        if name == "aac" and not source.codec_context.extradata:  # ADTS, as in broadcasts: every packet has a header
            from av.bitstream import BitStreamFilterContext

            self._unpack = BitStreamFilterContext("aac_adtstoasc", source).filter

    def packets(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """Return the packets to write for a packet of the film; for None, the rest of the track."""
        if packet is None or not self._fits(packet):
            return []
        self.needs_a_packet = False
        time_base = packet.time_base
        outputs = self._unpack(packet)
        for output in outputs:
            output.time_base = time_base  # the bitstream filter loses it
        return outputs

    def _fits(self, packet: Packet[Any]) -> bool:
        """Whether the container can store the packet's time; one that only reaches past zero is moved to zero.

        Sound before zero warms up the decoder. Matroska cannot store it and would shift everything else.
        """
        if not self._starts_at_zero or packet.pts is None or packet.pts >= 0:
            return True
        ends_after_zero = packet.pts + (packet.duration or 0) > 0
        packet.pts = packet.dts = 0
        return ends_after_zero


class SoundEncoder(TrackWriter):
    """Decodes sound and encodes it as AAC with the same number of channels, up to eight."""

    def __init__(self, source: Any, container: OutputContainer, notes: list[str]) -> None:
        context, self._notes, self.needs_a_packet = source.codec_context, notes, False
        channels = min(context.layout.nb_channels, 8)
        rate_hz = context.sample_rate if context.sample_rate in _AAC_RATES_HZ else 48000
        options = {"b": str(_AAC_BITS_PER_S.get(channels, 64_000 * channels))}
        self.stream = container.add_stream("aac", rate=rate_hz, options=options, layout=_AAC_LAYOUTS[channels])
        self._has_sound = False

    def packets(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """See the base class; a damaged packet leaves a gap."""
        import av

        if packet is None:
            return list(self.stream.encode(None)) if self._has_sound else []
        try:
            frames: list[Any] = packet.decode()
        except av.error.InvalidDataError as error:
            self._notes.append(f"the sound has gaps: {error_text(error)}")
            return []
        self._has_sound = self._has_sound or bool(frames)
        return [output for frame in frames for output in self.stream.encode(frame)]


class SubtitleConverter(TrackWriter):
    """Converts text subtitles to the form of the container."""

    def __init__(self, source: Any, container: OutputContainer, codec: str) -> None:
        self._decoder, self.needs_a_packet = source.codec_context, False
        self._decoder.open(strict=False)
        self.stream = container.add_stream(codec)
        self.stream.codec_context.subtitle_header = self._decoder.subtitle_header or _ASS_HEADER
        self.stream.codec_context.time_base = self.stream.time_base = source.time_base

    def packets(self, packet: Packet[Any] | None) -> list[Packet[Any]]:
        """See the base class."""
        subtitles = None if packet is None else self._decoder.decode2(packet)
        if packet is None or not subtitles:
            return []
        output = self.stream.codec_context.encode_subtitle(subtitles)
        output.pts = output.dts = packet.pts
        output.time_base, output.duration = packet.time_base, packet.duration
        return [output]


def open_writer(source: Any, container: OutputContainer, format_name: str, notes: list[str]) -> TrackWriter | None:
    """Add a track of a film to a recording.

    Args:
        source: Stream of the film.
        container: The recording, before its first packet.
        format_name: Its format: mp4, mov or matroska.
        notes: Receives what is converted.

    Returns:
        The track's writer; None if the container cannot hold the track in any form.
    """
    if source.type not in ("audio", "subtitle") or source.codec_context is None:
        return None
    name = source.codec_context.name
    is_text, text_form = name in _TEXT_SUBTITLES, _TEXT_FORM[format_name]
    playable = _SOUND.get(format_name, container.supported_codecs)
    if source.type == "audio" and not (source.codec_context.sample_rate and source.codec_context.layout.nb_channels):
        return None  # a damaged header; no container takes such a track
    if name in _AC3 and format_name != "matroska" and not _starts_as_ac3(source):
        return None  # MP4's header is made from the first packet
    if source.type == "audio" and name not in playable:
        channels = source.codec_context.layout.nb_channels
        notes.append(f"{name} sound becomes AAC" + (f", 8 of its {channels} channels" if channels > 8 else ""))
        return SoundEncoder(source, container, notes)
    if is_text and name != text_form and not (format_name == "matroska" and name in container.supported_codecs):
        notes.append(f"{name} subtitles become {text_form}")
        return SubtitleConverter(source, container, text_form)
    if source.type == "subtitle" and not is_text and format_name != "matroska":
        return None  # pictures, which no player of MP4 shows
    try:
        return TrackWriter(source, container)
    except ValueError:  # the container cannot hold that codec
        return None


def _starts_as_ac3(source: Any) -> bool:
    """Return whether the first packet of a stream begins an AC-3 frame; a damaged track may also have none."""
    import av

    with av.open(source.container.name, metadata_errors="replace", options={"protocol_whitelist": "file"}) as film:
        packets = film.demux(film.streams[source.index])
        first = next((packet for packet in packets if packet.size), None)
        return first is not None and bytes(first)[:2] == _AC3_SYNC
