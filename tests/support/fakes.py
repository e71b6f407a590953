"""Stand-ins for the parts of a pipeline."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np

from engines.errors import SourceError
from live.pipeline.frame import Face, Frame, ImageU8
from live.sinks.base import FrameSink
from live.sources.base import FrameSource, SourceInfo


class FakeSource(FrameSource):
    """Gives frames computed from their index; ends after `frames`."""

    def __init__(
        self,
        picture: Callable[[int], ImageU8],
        *,
        frames: int | None = None,
        live: bool = False,
        interval_s: float = 0.0,
    ) -> None:
        self.picture, self.frames, self.live, self.interval_s = picture, frames, live, interval_s
        self.index = 0
        self.opened = self.closed = 0

    def open(self) -> SourceInfo:
        self.opened += 1
        bgr = self.picture(0)
        return SourceInfo("fake", (bgr.shape[1], bgr.shape[0]), 30.0, self.frames)

    def read(self) -> Frame | None:
        if self.closed or (self.frames is not None and self.index >= self.frames):
            return None
        if self.interval_s:
            time.sleep(self.interval_s)
        bgr = self.picture(self.index).copy()
        self.index += 1
        return Frame(bgr, self.index - 1, time.monotonic(), None if self.live else (self.index - 1) / 30)

    def close(self) -> None:
        self.closed += 1


class BrokenSource(FakeSource):
    """Raises after some frames."""

    def __init__(self, picture: Callable[[int], ImageU8], *, at: int, error: Exception) -> None:
        super().__init__(picture)
        self._at, self._error = at, error
        self.broke = threading.Event()

    def read(self) -> Frame | None:
        if self.index >= self._at:
            self.broke.set()
            raise self._error
        return super().read()


class StuckSource(FakeSource):
    """Blocks forever in `read`, like a driver that hangs."""

    def __init__(self, picture: Callable[[int], ImageU8], *, at: int) -> None:
        super().__init__(picture, live=True)
        self._at = at
        self.stuck = threading.Event()

    def read(self) -> Frame | None:
        if self.index >= self._at:
            self.stuck.set()
            threading.Event().wait()
        return super().read()


class NoSource(FakeSource):
    """Cannot be opened."""

    def __init__(self) -> None:
        super().__init__(lambda index: np.zeros((8, 8, 3), np.uint8))

    def open(self) -> SourceInfo:
        raise SourceError("camera 7", "there is no such camera", "plug one in")


class FakeTracker:
    """Gives the faces that a function returns for a frame."""

    def __init__(self, faces: Callable[[Frame], tuple[Face, ...]] = lambda frame: ()) -> None:
        self._faces = faces
        self.closed = 0

    def open(self) -> None:
        """Load nothing."""

    def track(self, frame: Frame) -> tuple[Face, ...]:
        return self._faces(frame)

    def close(self) -> None:
        self.closed += 1


class KeepingSink(FrameSink):
    """Keeps all frames."""

    main_thread = False

    def __init__(self, *, live: bool = False, slow_s: float = 0.0, name: str = "keeping") -> None:
        self.live, self.slow_s, self.name = live, slow_s, name
        self.frames: list[Frame] = []
        self.size_wh: tuple[int, int] | None = None
        self.closed = 0
        self.got = threading.Condition()

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        self.size_wh = size_wh

    def send(self, frame: Frame) -> None:
        if self.slow_s:
            time.sleep(self.slow_s)
        with self.got:
            self.frames.append(frame)
            self.got.notify_all()

    def close(self) -> None:
        self.closed += 1

    def wait_for(self, enough: Callable[[list[Frame]], bool], timeout_s: float = 20.0) -> bool:
        """Wait until the predicate is true for the frames so far."""
        with self.got:
            return self.got.wait_for(lambda: enough(self.frames), timeout_s)


class BrokenSink(KeepingSink):
    """Raises in `send`, or already in `open`."""

    def __init__(self, *, at: int, error: Exception, slow_s: float = 0.0) -> None:
        super().__init__(name="broken", slow_s=slow_s)
        self._at, self._error = at, error

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        if self._at < 0:
            raise self._error

    def send(self, frame: Frame) -> None:
        if len(self.frames) >= self._at:
            raise self._error
        super().send(frame)


class StuckSink(KeepingSink):
    """Blocks forever in `send` or in `close`."""

    def __init__(self, *, live: bool = True, where: str = "send") -> None:
        super().__init__(live=live, name="stuck")
        self._where = where
        self.stuck = threading.Event()

    def send(self, frame: Frame) -> None:
        if self._where == "send":
            self.stuck.set()
            threading.Event().wait()
        super().send(frame)

    def close(self) -> None:
        if self._where == "close":
            self.stuck.set()
            threading.Event().wait()
        super().close()


class WindowLikeSink(KeepingSink):
    """Requires the main thread, like a window."""

    main_thread = True

    def __init__(self) -> None:
        super().__init__(live=True, name="window-like")
        self.pumped = 0

    def pump(self) -> None:
        self.pumped += 1
