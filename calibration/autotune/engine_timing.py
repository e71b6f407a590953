"""Times engines as live runs them: one face a call, beside a tracker that has its frames to look at."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import cv2
import numpy as np

from engines.errors import VeneerError
from live.pipeline.frame import Face, Frame, ImageU8
from live.portrait import portrait_bgr
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

FRAME_WH = (1280, 720)
_ROUNDS = 6
_BURN_IN = 3
_STOP_S = 5.0

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Timed:
    """Milliseconds of one call, over all rounds."""

    median_ms: float
    p95_ms: float


def frame_bgr() -> ImageU8:
    """The portrait on a frame of 1280x720, (H, W, 3) BGR uint8."""
    width, height = FRAME_WH
    portrait = cv2.resize(portrait_bgr(), (height, height), interpolation=cv2.INTER_CUBIC)
    left = (width - height) // 2
    whole = cv2.copyMakeBorder(portrait, 0, 0, left, width - height - left, cv2.BORDER_REPLICATE)
    return np.asarray(whole, np.uint8)


class Beside:
    """A tracker at work in a thread of its own, so many frames a second, while the block runs.

    Args:
        fps: how many.
        person: it also finds out which pixels show the person.

    Attributes:
        faces: on the frame.
        mask: who the person is; None if nobody asked.

    Raises:
        TrackingError: no face model.
    """

    def __init__(self, *, fps: float, person: bool = False) -> None:
        self.bgr = frame_bgr()
        self._every_s, self._person = 1 / fps, person
        self.faces: tuple[Face, ...] = ()
        self.mask: ImageU8 | None = None
        self._tracker, self._stop, self._ready = FaceMeshTracker(), threading.Event(), threading.Event()
        self._failed: VeneerError | None = None
        self._thread = threading.Thread(target=self._run, name="tracker beside", daemon=True)

    def __enter__(self) -> Beside:
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        segmenter = PersonSegmenter() if self._person else None
        try:
            due_s = time.perf_counter()
            frame_id = 0
            while not self._stop.wait(max(0.0, due_s - time.perf_counter())):
                self.faces = self._tracker.track(Frame(self.bgr, frame_id, time.monotonic()))
                if segmenter is not None:
                    self.mask = segmenter.mask(self.bgr)
                self._ready.set()
                frame_id += 1
                due_s = max(due_s + self._every_s, time.perf_counter() - self._every_s)
        except VeneerError as error:
            self._failed = error
        finally:
            self._ready.set()
            self._tracker.close()
            if segmenter is not None:
                segmenter.close()


def timed(calls: Mapping[Key, Callable[[], object]], *, seconds: float) -> dict[Key, Timed]:
    """Time calls in turns, so that what else the machine does falls on all of them alike.

    Args:
        calls: by name.
        seconds: for each, over all rounds.
    """
    took_ms: dict[Key, list[float]] = {name: [] for name in calls}
    for number in range(_ROUNDS):
        for name, call in calls.items():
            for _ in range(1 if number else _BURN_IN):
                call()
            took_ms[name] += _for(call, seconds / _ROUNDS)
    return {name: summed(times) for name, times in took_ms.items()}


def summed(took_ms: Sequence[float]) -> Timed:
    """Median and 95th percentile."""
    median, p95 = np.percentile(took_ms, (50, 95)).tolist()
    return Timed(round(median, 3), round(p95, 3))


def _for(call: Callable[[], object], seconds: float) -> list[float]:
    took_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while not took_ms or time.perf_counter() < end_s:
        started_s = time.perf_counter()
        call()
        took_ms.append((time.perf_counter() - started_s) * 1e3)
    return took_ms
