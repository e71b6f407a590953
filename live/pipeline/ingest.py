"""The two threads in front: one reads the source, one finds the faces; what they make waits in a slot for the painting.

What comes from outside is checked here. A torn or empty picture is left out as if nothing had come; a source or a
tracker that raises ends the run in one line.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from engines.text import one_line
from live.pipeline.frame import Frame, ImageU8, TrackedFrame, checked
from live.pipeline.latest_slot import Closed, LatestSlot
from live.pipeline.timing import Timings
from live.sources.base import FrameSource, SourceInfo
from live.tracking.base import FaceTracker
from live.tracking.person_segmenter import PersonSegmenter

_MOST_FLAWS = 16  # lines about what was wrong; more would flood the terminal
_CLOSE_WITHIN_S = 0.3
_LEAD = 1.2  # of the usual time: faces are looked for so early that the painting seldom has to wait for them


class Ingest:
    """Source and tracker; opens and closes both, each in its own thread.

    Args:
        source: read until its end, at most `frames` times where nothing may be lost.
        tracker: finds the faces on each frame that is not replaced by a newer one.
        lossless: every frame waits for its turn; otherwise the newest wins.
        frames: see `source`; None for no limit.
        wants_person: whether the frames tracked now need to say which pixels show a person.
        timings: told of each frame, and of the time the tracking takes.
        fail: called with the error that ends the run, and where it came from ("source", "tracker").
        say: takes one line for the person at the terminal.

    Attributes:
        info: what the source says of itself, once open.
        source_waits: nothing came just now.
        over: set when the threads have no more to do.
    """

    def __init__(
        self,
        source: FrameSource,
        tracker: FaceTracker,
        *,
        lossless: bool,
        frames: int | None,
        wants_person: Callable[[], bool],
        timings: Timings,
        fail: Callable[[Exception, str], None],
        say: Callable[[str], None],
    ) -> None:
        self.info: SourceInfo | None = None
        self.source_waits = False
        self.over = threading.Event()
        self._source, self._tracker, self._segmenter = source, tracker, PersonSegmenter()  # it loads nothing yet
        self._most = frames if lossless else None
        self._wants_person, self._timings, self._fail, self._say = wants_person, timings, fail, say
        self._read: LatestSlot[Frame] = LatestSlot(lossless=lossless)
        self._tracked: LatestSlot[TrackedFrame] = LatestSlot(lossless=lossless)
        self._flaws: set[str] = set()
        self._threads = [
            threading.Thread(target=self._source_loop, name="source", daemon=True),
            threading.Thread(target=self._tracker_loop, name="tracker", daemon=True),
        ]

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced."""
        return self._read.dropped + self._tracked.dropped

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def get(self, *, timeout_s: float) -> TrackedFrame | None:
        """The next frame with its faces; None when none came in time.

        Raises:
            Closed: there will be no more.
        """
        return self._tracked.get(timeout_s=timeout_s)

    def close(self) -> None:
        """No more frames; a source that is still being read from is closed after a moment."""
        self.over.set()
        self._read.close()
        self._tracked.close()
        self._threads[0].join(0.2)
        if self._threads[0].is_alive():  # aside, for what hangs in a read may hang in its closing too
            closing = threading.Thread(target=self._close_source, name="close source", daemon=True)
            closing.start()
            closing.join(_CLOSE_WITHIN_S)

    def join(self, until_s: float) -> None:
        """Wait for the threads until that monotonic second."""
        for thread in self._threads:
            thread.join(max(0.05, until_s - time.monotonic()))

    def _source_loop(self) -> None:
        try:
            self.info = self._source.open()
            self._read_all()
        except Closed:
            pass
        except Exception as error:
            self._fail(error, "source")
        finally:
            self._read.close()
            self._close_source()

    def _read_all(self) -> None:
        produced, reading_s = 0, 0.0  # how long a read usually takes
        while not self.over.is_set() and produced != self._most:
            self._read.wait_wanted(lead_s=0.3 * reading_s)  # the middle way between full speed and fresh pictures
            started_s = time.monotonic()
            try:
                frame = self._source.read()
            except TimeoutError:
                self.source_waits = True
                continue
            reading_s += 0.1 * (min(max(0.0, time.monotonic() - started_s), 1.0) - reading_s)
            if frame is None:
                return
            whole = self._whole(frame)
            if whole is not None:
                self._timings.frames_in += 1
                produced += 1
                self._read.put(whole)

    def _whole(self, frame: Frame) -> Frame | None:
        """The frame as a source promises it; None where it is not, and must be left out."""
        try:
            frame = checked(frame)
        except ValueError as flaw:
            self.source_waits = True
            self._say_flaw(f"the source gave {flaw}; it is left out")
            self.over.wait(0.005)  # one that gives nothing else must not take a core for it
            return None
        self.source_waits = False
        return frame

    def _close_source(self) -> None:
        with contextlib.suppress(Exception):  # by its promise it never raises, and nothing could be done about it
            self._source.close()

    def _tracker_loop(self) -> None:
        try:
            self._tracker.open()
            making_s = 0.0  # how long getting a frame and finding its faces usually takes
            while not self.over.is_set():
                self._tracked.wait_wanted(lead_s=_LEAD * making_s)
                started_s = time.monotonic()
                frame = self._read.get(timeout_s=0.5)
                if frame is not None:
                    found = self._found(frame)
                    making_s += 0.1 * (min(max(0.0, time.monotonic() - started_s), 1.0) - making_s)
                    self._tracked.put(found)
        except Closed:
            pass
        except Exception as error:
            self._fail(error, "tracker")
        finally:
            self._tracked.close()
            for model in (self._tracker, self._segmenter):
                with contextlib.suppress(Exception):  # a model that cannot be closed is no reason to hide another one
                    model.close()

    def _found(self, frame: Frame) -> TrackedFrame:
        started_s = time.monotonic()
        faces = self._tracker.track(frame)
        person = self._person(frame) if self._wants_person() else None
        track_ms = (time.monotonic() - started_s) * 1e3
        self._timings.stage("track", track_ms)
        return TrackedFrame(frame, faces, track_ms, person)

    def _person(self, frame: Frame) -> ImageU8 | None:
        """Who is on the frame; None where that fails, which a covering look takes for a face it cannot cover."""
        try:
            return self._segmenter.mask(frame.bgr)
        except Exception as error:
            self._say_flaw(f"finding the person failed ({one_line(error)}); looks that need it cover as without a face")
            return None

    def _say_flaw(self, line: str) -> None:
        if line not in self._flaws and len(self._flaws) < _MOST_FLAWS:
            self._flaws.add(line)
            self._say(line)
