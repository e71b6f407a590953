"""What `benchmarks.fps` films: the demo's moving portrait, or several portraits before a plain wall."""

from __future__ import annotations

import math
import threading
import time

import cv2
import numpy as np

from live.pipeline.frame import Frame, ImageU8
from live.portrait import portrait_bgr
from live.sources.base import FrameSource, SourceInfo
from live.sources.demo_source import DemoSource
from live.sources.pace import Pace

FPS = 30.0
_FACE_XY, _REACH_PX = (224, 150), 150  # in the portrait: the middle of what is cut out, and how far that goes
_WALL_BGR = (196, 203, 209)
_MARGIN = 1 / 16  # of the height: so far the camera moves to each side
_ACROSS_S, _DOWN_S = 4.0, 2.7


class Portraits(FrameSource):
    """Two to four portraits side by side, every other one mirrored, before a camera that is moved about a little.

    All faces are in the picture all the time, and near enough for the tracker. A frame is cut out of one large
    picture, which costs next to nothing.

    Args:
        faces: 2-4.
        size_wh: of the frames.
        pace: True gives the frames at 30 a second, as a camera does; False as fast as they are read.
    """

    def __init__(self, *, faces: int, size_wh: tuple[int, int], pace: bool) -> None:
        self.live = pace
        self._faces, self._size_wh = faces, size_wh
        self._margin_px = max(1, round(_MARGIN * size_wh[1]))
        self._closed = threading.Event()
        self._pace = Pace(self._closed, catch_up=False) if pace else None
        self._wall_bgr: ImageU8 | None = None
        self._frame_id = 0

    def open(self) -> SourceInfo:
        """Hang the portraits up.

        Raises:
            SourceError: the portrait is not where scikit-image keeps it.
        """
        width, height = (side + 2 * self._margin_px for side in self._size_wh)
        columns, rows = 2, (self._faces + 1) // 2
        self._wall_bgr = np.full((height, width, 3), _WALL_BGR, np.uint8)
        (x, y), side = _FACE_XY, min(width // columns, height // rows)
        cut_bgr = portrait_bgr()[y - _REACH_PX : y + _REACH_PX, x - _REACH_PX : x + _REACH_PX]
        portrait = np.asarray(cv2.resize(cut_bgr, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
        for number in range(self._faces):
            row, column = divmod(number, columns)
            left = (2 * column + 1) * width // (2 * columns) - side // 2
            top = (2 * row + 1) * height // (2 * rows) - side // 2
            self._wall_bgr[top : top + side, left : left + side] = portrait[:, :: -1 if number % 2 else 1]
        return SourceInfo(f"{self._faces} portraits", self._size_wh, FPS)

    def read(self) -> Frame | None:
        """The next frame; None once closed."""
        wall_bgr, frame_id = self._wall_bgr, self._frame_id
        if wall_bgr is None or self._closed.is_set():
            return None
        pts_s = frame_id / FPS
        if self._pace is not None and not self._pace.wait_until(pts_s):
            return None
        self._frame_id += 1
        width, height = self._size_wh
        left = round(self._margin_px * (1 + math.sin(2 * math.pi * pts_s / _ACROSS_S)))
        top = round(self._margin_px * (1 + math.sin(2 * math.pi * pts_s / _DOWN_S)))
        cut_bgr = wall_bgr[top : top + height, left : left + width].copy()
        return Frame(cut_bgr, frame_id, time.monotonic(), pts_s)

    def close(self) -> None:
        """Let the picture go; a waiting `read` returns at once."""
        self._closed.set()
        self._wall_bgr = None


def open_film(faces: int, size_wh: tuple[int, int], *, pace: bool) -> FrameSource:
    """The film with so many faces, made but not opened; without end."""
    if faces == 1:
        return DemoSource(size_wh=size_wh, fps=FPS, pace=pace)
    return Portraits(faces=faces, size_wh=size_wh, pace=pace)


class Ending(FrameSource):
    """A source that ends when it is told to: a film of which nobody knows yet how long it must be.

    Args:
        source: without end of its own.
    """

    def __init__(self, source: FrameSource) -> None:
        self.live, self._source = source.live, source
        self._last_id, self._until_s = math.inf, math.inf

    def end(self, *, last_id: int, until_s: float) -> None:
        """The frame of that number is the last, or the one that is given at that monotonic second."""
        self._last_id, self._until_s = last_id, until_s

    def open(self) -> SourceInfo:
        """As the source."""
        return self._source.open()

    def read(self) -> Frame | None:
        """As the source, until the end."""
        if time.monotonic() >= self._until_s:
            return None
        frame = self._source.read()
        return None if frame is None or frame.frame_id > self._last_id else frame

    def close(self) -> None:
        """As the source."""
        self._source.close()
