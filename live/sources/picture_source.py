"""A picture file as a frame source: a still picture, or an animation with its times."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from engines.errors import SourceError
from live.picture_files.picture import Picture
from live.picture_files.picture_reader import PictureFile
from live.pipeline.frame import Frame
from live.pipeline.frame_pool import FramePool
from live.sources.base import FrameSource, SourceInfo
from live.sources.pace import Pace

_SHORTEST_MS, _USUAL_MS = 10.0, 100.0  # browsers show frames of at most 10 ms for 100 ms


class PictureSource(FrameSource):
    """A still picture or an animation as a frame source.

    Args:
        path: The picture file.
        fps: Frame rate of a repeated still.
        repeat: False returns each frame once, as fast as they are read (file processing). True returns a still at
            `fps`, an animation in its own time, without end (preview).
        keep: Keep each decoded picture until `take` asks for it.

    Attributes:
        warning: What was wrong with an animation that could be read only in part.
    """

    def __init__(self, path: Path | str, *, fps: float = 30.0, repeat: bool, keep: bool = False) -> None:
        self.live = repeat
        self.warning: str | None = None
        self._path, self._fps, self._repeat, self._keep = Path(path), fps, repeat, keep
        self._closed = threading.Event()
        self._pace = Pace(self._closed, catch_up=False)
        self._pool = FramePool()
        self._file: PictureFile | None = None
        self._frames: Iterator[Picture] = iter(())
        self._next: Picture | None = None
        self._kept: dict[int, Picture] = {}
        self._frame_id, self._position_s = 0, 0.0

    def open(self) -> SourceInfo:
        """Read the first frame.

        Raises:
            SourceError: As `PictureFile`.
        """
        self._file = PictureFile(self._path)
        self.notes = self._file.notes
        self._frames = self._file.frames()
        self._next = next(self._frames)
        height, width = self._next.frame_bgr.shape[:2]
        is_still = self._file.frame_count == 1
        fps = (self._fps if self._repeat else 0.0) if is_still else 1 / self._shown_s(self._next)
        return SourceInfo(self._path.name, (width, height), fps, None if self._repeat else self._file.frame_count)

    def read(self) -> Frame | None:
        """Return the next frame in an array of its own; None after the last, or once closed."""
        if self._next is None and not self._closed.is_set():
            self._next = self._decode()
        picture = self._next
        if picture is None or self._closed.is_set() or (self._repeat and not self._pace.wait_until(self._position_s)):
            return None
        copy_bgr = self._pool.take(picture.frame_bgr.shape)
        np.copyto(copy_bgr, picture.frame_bgr)
        shown_s = self._shown_s(picture)
        count = None if self._repeat or self._file is None else self._file.frame_count
        hold_s = shown_s if count == self._frame_id + 1 else None
        position_s = None if self._repeat else self._position_s
        frame = Frame(copy_bgr, self._frame_id, time.monotonic(), position_s, hold_s=hold_s)
        if self._keep:
            self._kept[self._frame_id] = picture
        self._frame_id += 1
        self._position_s += shown_s
        is_still = self._file is not None and self._file.frame_count == 1
        self._next = picture if is_still and self._repeat else None
        return frame

    def take(self, frame_id: int) -> Picture:
        """Return the picture of a frame and release those up to it; for sources with `keep`, from any thread."""
        for earlier in [number for number in tuple(self._kept) if number < frame_id]:
            del self._kept[earlier]
        return self._kept.pop(frame_id)

    def close(self) -> None:
        """Release the file; a waiting `read` returns at once."""
        self._closed.set()
        self._file = self._next = None
        self._frames = iter(())

    def _decode(self) -> Picture | None:
        """Return the next frame, of a repeated animation from the start again; None at the end."""
        try:
            picture = next(self._frames, None)
            if picture is None and self._repeat and self._file is not None:
                self._frames = self._file.frames()
                picture = next(self._frames, None)
            return picture
        except SourceError as error:
            self.warning = error.got
            self._frames = iter(())
            return None

    def _shown_s(self, picture: Picture) -> float:
        if self._file is None or self._file.frame_count == 1:
            return 1 / self._fps
        return (picture.duration_ms if picture.duration_ms > _SHORTEST_MS else _USUAL_MS) / 1e3
