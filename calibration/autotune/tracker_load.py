"""The load of live use beside timed calls: a running tracker."""

from __future__ import annotations

import threading
import time

import cv2
import numpy as np

from engines.errors import VeneerError
from live.pipeline.frame import Face, Frame, ImageU8
from live.portrait import portrait_bgr
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter

_FRAME_WH = (1280, 720)
_STOP_TIMEOUT_S = 5.0


class TrackerLoad:
    """Context manager that runs the face tracker on a 1280x720 portrait frame in a background thread.

    With `person`, the person segmenter runs as well and gives `mask`. Raises TrackingError if the face model cannot be
    loaded.
    """

    def __init__(self, *, fps: float, person: bool = False) -> None:
        self.frame_bgr = _portrait_frame()
        self.faces: tuple[Face, ...] = ()
        self.mask: ImageU8 | None = None
        self._interval_s, self._person = 1 / fps, person
        self._tracker, self._stop, self._ready = FaceMeshTracker(), threading.Event(), threading.Event()
        self._error: VeneerError | None = None
        self._thread = threading.Thread(target=self._run, name="tracker load", daemon=True)

    def __enter__(self) -> TrackerLoad:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        segmenter = PersonSegmenter() if self._person else None
        try:
            due_s, frame_id = time.perf_counter(), 0
            while not self._stop.wait(max(0.0, due_s - time.perf_counter())):
                self.faces = self._tracker.track(Frame(self.frame_bgr, frame_id, time.monotonic()))
                if segmenter is not None:
                    self.mask = segmenter.mask(self.frame_bgr)
                self._ready.set()
                frame_id += 1
                due_s = max(due_s + self._interval_s, time.perf_counter() - self._interval_s)
        except VeneerError as error:
            self._error = error
        finally:
            self._ready.set()
            self._tracker.close()
            if segmenter is not None:
                segmenter.close()


def _portrait_frame() -> ImageU8:
    width, height = _FRAME_WH
    portrait = cv2.resize(portrait_bgr(), (height, height), interpolation=cv2.INTER_CUBIC)
    left = (width - height) // 2
    frame_bgr = cv2.copyMakeBorder(portrait, 0, 0, left, width - height - left, cv2.BORDER_REPLICATE)
    return np.asarray(frame_bgr, np.uint8)
