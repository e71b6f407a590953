"""The frames after a seam of a divided film, as both of its segments paint them: the one fades into the other."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import SinkError
from live.pipeline.frame import ColourTags, Frame, ImageU8
from live.recording.encoders import EncoderSettings
from live.sinks.video_file import VideoFileSink

_SAMPLE_WH = (96, 54)
_PNG_LEVEL = 1


@dataclass(slots=True)
class SeamFrames:
    """The painted frames after a seam, from one of its two segments.

    Attributes:
        pngs: Each is a file in memory.
        times_s: Of each, from the start of the film.
        colour: See `Frame.colour`.
        fps: Of the film.
    """

    pngs: list[NDArray[np.uint8]] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    colour: tuple[int, ...] = ()
    fps: float = 0.0

    def add(self, frame: Frame, fps: float) -> None:
        """Keep a frame."""
        tags = frame.colour
        self.colour, self.fps = (tags.primaries, tags.transfer, tags.matrix), fps
        self.pngs.append(np.asarray(cv2.imencode(".png", frame.bgr, [cv2.IMWRITE_PNG_COMPRESSION, _PNG_LEVEL])[1]))
        self.times_s.append(frame.time_s)

    def picture(self, index: int) -> ImageU8:
        """Return a frame, (H, W, 3) uint8 BGR."""
        return np.asarray(cv2.imdecode(self.pngs[index], cv2.IMREAD_COLOR), np.uint8)

    def save(self, path: Path) -> None:
        """Write them. Raises OSError."""
        with path.open("wb") as file:
            arrays = {f"png {index}": png for index, png in enumerate(self.pngs)}
            np.savez(file, times_s=self.times_s, colour=self.colour, fps=self.fps, **arrays)

    @classmethod
    def load(cls, path: Path) -> SeamFrames:
        """Read what `save` wrote. Raises OSError."""
        try:
            with np.load(path, allow_pickle=False) as found:
                times_s = found["times_s"].tolist()
                pngs = [found[f"png {index}"] for index in range(len(times_s))]
                return cls(pngs, times_s, tuple(found["colour"].tolist()), float(found["fps"]))
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise OSError(f"{path.name} is damaged") from error


def seam_files(segment: Path) -> tuple[Path, Path]:
    """Return where the first frames of a segment, and those after its last, are kept beside its file."""
    return segment.with_suffix(".begin.npz"), segment.with_suffix(".after.npz")


def seam_levels(before_file: Path, after_file: Path) -> float:
    """Return the largest difference between the first frame after a seam from both segments, in levels of 0..255.

    They are compared at a small size: single pixels do not count. Raises OSError if they cannot be read.
    """
    pictures = (SeamFrames.load(path).picture(0) for path in (before_file, after_file))
    one, other = (cv2.resize(picture, _SAMPLE_WH, interpolation=cv2.INTER_AREA) for picture in pictures)
    return float(np.abs(one.astype(np.int16) - other).max())


def write_seam(frames: tuple[Path, Path], path: Path, settings: EncoderSettings) -> None:
    """Write the frames after a seam: those of the segment before it fade into those of the segment after it.

    Args:
        frames: Files of the frames from the segment before and the one after.
        path: The film to write.
        settings: As those of the segments.

    Raises:
        SinkError: The frames of the two segments are not those of one seam, or the file cannot be written.
        OSError: The frames cannot be read.
    """
    before, after = map(SeamFrames.load, frames)
    if not before.times_s or before.times_s != after.times_s:
        raise SinkError(f"joining {path.name}", "the frames of both segments differ at the seam", "try again")
    sink, count = VideoFileSink(path, settings=settings), len(before.times_s)
    for index, at_s in enumerate(before.times_s):
        weight = (index + 1) / (count + 1)
        bgr = cv2.addWeighted(before.picture(index), 1 - weight, after.picture(index), weight, 0.0)
        if index == 0:
            sink.open(size_wh=(bgr.shape[1], bgr.shape[0]), fps=before.fps)
        sink.send(Frame(np.asarray(bgr, np.uint8), 0, 0.0, at_s, colour=ColourTags(*before.colour)))
    sink.close()
