"""Test footage: the moving demo portrait for one face, several portraits side by side, or a film."""

from __future__ import annotations

import math
import time
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from live.pipeline.frame import Frame, ImageU8
from live.portrait import portrait_bgr
from live.sources.base import FrameSource, SourceInfo
from live.sources.demo_source import DemoSource
from live.sources.video_source import film_frames

FPS = 30.0
_FACE_XY, _FACE_RADIUS_PX = (224, 150), 150  # centre and half side of the crop in the portrait
_WALL_BGR = (196, 203, 209)
_FILM_FRAMES = 120
_MARGIN = 1 / 16  # amplitude of the camera motion, of the height
_PERIOD_X_S, _PERIOD_Y_S = 4.0, 2.7


class Portraits(DemoSource):
    """Two to four portraits, every second one mirrored, with a slightly moving camera. Endless.

    All faces are always in the frame. A frame is a crop of one large image, so that it costs little time. With `pace`,
    the source gives 30 frames per second, as a camera does; otherwise as many as are read.
    """

    def __init__(self, *, faces: int, size_wh: tuple[int, int], pace: bool) -> None:
        super().__init__(size_wh=size_wh, fps=FPS, pace=pace)
        self._faces = faces

    def open(self) -> SourceInfo:
        """Compose the image. Raises SourceError if the portrait is missing."""
        margin_px = max(1, round(_MARGIN * self._size_wh[1]))
        width, height = (side + 2 * margin_px for side in self._size_wh)
        columns, rows = 2, (self._faces + 1) // 2
        wall_bgr = np.full((height, width, 3), _WALL_BGR, np.uint8)
        (x, y), radius, side = _FACE_XY, _FACE_RADIUS_PX, min(width // columns, height // rows)
        face_bgr = portrait_bgr()[y - radius : y + radius, x - radius : x + radius]
        portrait = np.asarray(cv2.resize(face_bgr, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        for number in range(self._faces):
            row, column = divmod(number, columns)
            left = (2 * column + 1) * width // (2 * columns) - side // 2
            top = (2 * row + 1) * height // (2 * rows) - side // 2
            wall_bgr[top : top + side, left : left + side] = portrait[:, :: -1 if number % 2 else 1]
        self._draw = partial(_crop, wall_bgr, margin_px)
        return SourceInfo(f"{self._faces} portraits", self._size_wh, FPS)


class LoopedFilm(DemoSource):
    """The first frames of a film, forwards and backwards, so that there is no cut. Endless.

    They are kept in memory (2.8 MB each at 1280x720), so that reading costs no time.
    """

    def __init__(self, path: Path, *, size_wh: tuple[int, int], pace: bool) -> None:
        super().__init__(size_wh=size_wh, fps=FPS, pace=pace)
        self._path = path

    def open(self) -> SourceInfo:
        """Read the frames. Raises SourceError if the film cannot be read."""
        with closing(film_frames(self._path)) as film:
            read = [cv2.resize(frame.bgr, self._size_wh) for frame in islice(film, _FILM_FRAMES)]
        frames = [*read, *read[-2:0:-1]]
        self._draw = lambda time_s: np.array(frames[round(time_s * FPS) % len(frames)], np.uint8)
        return SourceInfo(self._path.name, self._size_wh, FPS)


def _crop(wall_bgr: ImageU8, margin_px: int, time_s: float) -> ImageU8:
    left = round(margin_px * (1 + math.sin(2 * math.pi * time_s / _PERIOD_X_S)))
    top = round(margin_px * (1 + math.sin(2 * math.pi * time_s / _PERIOD_Y_S)))
    height, width = (side - 2 * margin_px for side in wall_bgr.shape[:2])
    return wall_bgr[top : top + height, left : left + width].copy()


def open_film(faces: int, size_wh: tuple[int, int], *, pace: bool, film: str = "") -> FrameSource:
    """Create, but do not open, an endless source: a film by its path, or the demo with this number of faces."""
    if film:
        return LoopedFilm(Path(film), size_wh=size_wh, pace=pace)
    if faces == 1:
        return DemoSource(size_wh=size_wh, fps=FPS, pace=pace)
    return Portraits(faces=faces, size_wh=size_wh, pace=pace)


class StoppableFilm(FrameSource):
    """An endless source whose end is set while it runs."""

    def __init__(self, source: FrameSource) -> None:
        self.live, self._source = source.live, source
        self._last_id, self._until_s = math.inf, math.inf

    def set_end(self, *, last_id: int, until_s: float) -> None:
        """End after the frame with this id, or at this monotonic time, whichever is first."""
        self._last_id, self._until_s = last_id, until_s

    def open(self) -> SourceInfo:
        """Open the source."""
        return self._source.open()

    def read(self) -> Frame | None:
        """Return the next frame of the source; None after the end."""
        if time.monotonic() >= self._until_s:
            return None
        frame = self._source.read()
        return None if frame is None or frame.frame_id > self._last_id else frame

    def close(self) -> None:
        """Close the source."""
        self._source.close()
