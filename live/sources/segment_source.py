"""Segments of a long film between key frames, each of which can be read, tracked and painted on its own."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from live.sources.base import SourceInfo
from live.sources.bgr_converter import Picture
from live.sources.stream_clock import StreamClock, can_jump, picture_stream, start_of_film_s
from live.sources.video_source import VideoSource

if TYPE_CHECKING:
    from av import Packet, VideoStream
    from av.container import InputContainer

OVERLAP_S = 6.0
FADE_S = 0.5
_TICK_S = 1e-7  # times of the same frame differ by less
_FORMATS = ("mov", "matroska")  # with an index of key frames, and a time for every packet

_Timed = tuple[Picture, float, "float | None"]


@dataclass(frozen=True, slots=True)
class FilmSegment:
    """A part of a film. Times count from the start of the film, as `Frame.pts_s` does.

    Attributes:
        number: Counts from 1.
        count: Number of segments.
        begin_s: Time of its first frame, which is a key frame; of the first segment the film's first frame.
        end_s: Time of the first frame of the next segment; infinity for the last segment.
        frames: Number of its frames.
        overlap_s: Frames that are up to this much earlier are tracked and painted too, and not written: at the first
            frame, smoothing, ids and the memory of faces and persons are as if all frames had been tracked.
    """

    number: int
    count: int
    begin_s: float
    end_s: float
    frames: int
    overlap_s: float

    def holds(self, at_s: float) -> bool:
        """Whether a frame belongs to the segment."""
        return self.begin_s - _TICK_S <= at_s < self.end_s - _TICK_S

    def fades_in(self, at_s: float) -> bool:
        """Whether a frame of the segment is one of the first, which the end of the segment before shows too."""
        return self.number > 1 and at_s < self.begin_s + FADE_S - _TICK_S

    def longer(self) -> FilmSegment:
        """Return the segment with an overlap of four times the length."""
        return replace(self, overlap_s=4 * self.overlap_s)

    @property
    def from_s(self) -> float:
        """Time of the first frame that is tracked."""
        return self.begin_s - self.overlap_s - _TICK_S if self.number > 1 else -math.inf


class SegmentSource(VideoSource):
    """The frames of a segment, those of its overlap before, and those with which the next one fades in."""

    def __init__(self, path: Path | str, segment: FilmSegment) -> None:
        super().__init__(path)
        self._segment = segment

    def open(self) -> SourceInfo:
        """See the base class; the number of frames is about that which will be read."""
        info, segment = super().open(), self._segment
        return replace(info, frame_count=segment.frames + round(info.fps * min(segment.overlap_s, segment.begin_s)))

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
        if self._segment.from_s > 0 and stream.time_base is not None:
            at_s = self._segment.from_s + start_of_film_s(container)
            container.seek(math.floor(at_s / stream.time_base), stream=stream)
        yield from super()._packets(container, stream)

    def _timed(self, pictures: Iterator[Picture], clock: StreamClock, end_s: float | None) -> Iterator[_Timed]:
        for timed in super()._timed(pictures, clock, end_s):
            if timed[1] >= self._segment.end_s + FADE_S - _TICK_S:
                return
            if timed[1] >= self._segment.from_s:
                yield timed


class FilmIndex:
    """Where a film can be divided.

    Args:
        times_s: Of all frames, increasing, from the start of the film.
        keys_s: Of the key frames, in order.

    Attributes:
        length_s: Time from the first to the last frame.
        frames: Number of frames.
    """

    def __init__(self, times_s: list[float], keys_s: list[float]) -> None:
        self._times_s, self._keys_s = times_s, keys_s
        self.length_s, self.frames = times_s[-1] - times_s[0], len(times_s)

    def segments(self, count: int) -> list[FilmSegment]:
        """Divide the film at the key frames nearest to those places that make segments of equal length.

        Args:
            count: Number of segments; there are fewer if the film has fewer key frames.
        """
        times_s = self._times_s
        wanted_s = [times_s[0] + self.length_s * index / count for index in range(1, count)]
        seams_s = {min(self._keys_s, key=lambda key_s: abs(key_s - at_s)) for at_s in wanted_s if self._keys_s}
        begins_s = [times_s[0]]
        for seam_s in sorted(seams_s):
            if begins_s[-1] + FADE_S < seam_s < times_s[-1] - FADE_S:
                begins_s.append(seam_s)
        ends_s = [*begins_s[1:], math.inf]
        frames = [bisect.bisect_left(times_s, at_s) for at_s in (*begins_s, math.inf)]
        return [
            FilmSegment(index + 1, len(begins_s), begin_s, end_s, frames[index + 1] - frames[index], OVERLAP_S)
            for index, (begin_s, end_s) in enumerate(zip(begins_s, ends_s, strict=True))
        ]


def film_index(path: Path) -> FilmIndex | None:
    """Find the frames of a film without decoding them.

    Returns:
        The index; None for a film that is damaged, has not a time for every frame, or a container without an index.
    """
    import av

    try:
        with av.open(str(path), metadata_errors="replace", options={"protocol_whitelist": "file"}) as container:
            times_s, keys_s = _times(container)
    except (av.FFmpegError, OSError, ValueError):  # the reader of the film reports the error
        return None
    return FilmIndex(times_s, keys_s) if times_s else None


def _times(container: InputContainer) -> tuple[list[float], list[float]]:
    """Return the times of all frames and of the key frames, in order; none if the film cannot be divided."""
    from av.stream import Discard

    stream = picture_stream(container)
    is_indexed = container.format.name.split(",")[0] in _FORMATS and not can_jump(container)
    if stream is None or stream.time_base is None or not is_indexed:
        return [], []
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    start_s = start_of_film_s(container)
    times_s, keys_s = list[float](), list[float]()
    for packet in container.demux(stream):
        if not packet.size or packet.is_discard:
            continue
        if packet.is_corrupt or packet.pts is None:
            return [], []
        times_s.append(float(packet.pts * stream.time_base) - start_s)
        if packet.is_keyframe:
            keys_s.append(times_s[-1])
    times_s.sort()
    is_increasing = all(later > earlier for earlier, later in itertools.pairwise(times_s))
    return (times_s, sorted(keys_s)) if is_increasing and times_s and times_s[0] >= 0 else ([], [])
