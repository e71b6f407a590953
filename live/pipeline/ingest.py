"""The source thread and the tracker thread; tracked frames wait in a slot for the renderer.

Input is validated here: an invalid picture is skipped; an error of the source or tracker ends the run with one line.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from engines.text import one_line
from live.pipeline.frame import Face, Frame, ImageU8, TrackedFrame, checked
from live.pipeline.latest_slot import Closed, LatestSlot
from live.pipeline.timing import Timings
from live.render.privacy_policy import UNTRACKED
from live.sources.base import FrameSource, SourceInfo
from live.tracking.base import FaceTracker
from live.tracking.hand_finder import HandFinder
from live.tracking.person_finder import PersonFinder
from live.tracking.person_tracks import Seen
from live.tracking.recogniser import Recogniser

_CLOSE_TIMEOUT_S = 0.3
_TRACKER_LEAD = 1.2  # of the usual tracking time: start early, so that the renderer seldom waits
_IDLE_S = 0.004  # waiting time for a frame from which on the source counts as slower than the program
_SOURCE_LEAD = 0.3  # of the usual reading time: between full speed and fresh pictures
_SMOOTHING = 0.1  # weight of a new measurement in the usual time


class Ingest:
    """Runs source and tracker; opens and closes both, each in its own thread.

    Args:
        lossless: Every frame waits for its turn; otherwise the newest wins.
        frames: Read at most this many if lossless; None for no limit.
        needs_person: Whether frames that are tracked now need a person mask.
        needs_everyone: Whether that mask must show every person.
        needs_hands: Whether hands before faces must be found on frames that are tracked now.
        recogniser: Says who is on a frame; None if no look depends on it.
        fail: Called with the error that ends the run, and its origin ("source" or "tracker").
        say: Receives one-line messages for the user; the same one may come with every frame.

    Attributes:
        info: The source's properties once it is open.
        source_waits: Whether the source has no frame at the moment.
        over: Set when the threads must end.
    """

    def __init__(
        self,
        source: FrameSource,
        tracker: FaceTracker,
        *,
        lossless: bool,
        frames: int | None,
        needs_person: Callable[[], bool],
        needs_everyone: Callable[[], bool],
        needs_hands: Callable[[], bool],
        recogniser: Recogniser | None,
        timings: Timings,
        fail: Callable[[Exception, str], None],
        say: Callable[[str], None],
    ) -> None:
        self.info: SourceInfo | None = None
        self.source_waits = False
        self.over = threading.Event()
        self._source, self._tracker = source, tracker
        self._person_finder = PersonFinder()  # loads its models on first use
        self._max_frames = frames if lossless else None
        self._hand_finder = HandFinder(live=not lossless)
        self._needs_person, self._needs_everyone, self._needs_hands = needs_person, needs_everyone, needs_hands
        self._recogniser = recogniser
        self._timings, self._fail, self._say = timings, fail, say
        self._read: LatestSlot[Frame] = LatestSlot(lossless=lossless)
        self._tracked: LatestSlot[TrackedFrame] = LatestSlot(lossless=lossless)
        self._threads = [
            threading.Thread(target=self._source_loop, name="source", daemon=True),
            threading.Thread(target=self._tracker_loop, name="tracker", daemon=True),
        ]

    @property
    def dropped(self) -> int:
        """Number of frames that were replaced by a newer one."""
        return self._read.dropped + self._tracked.dropped

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def get(self, *, timeout_s: float) -> TrackedFrame | None:
        """Return the next tracked frame; None after the timeout. Raises Closed if no more will come."""
        return self._tracked.get(timeout_s=timeout_s)

    def close(self) -> None:
        """End both threads; a source whose `read` blocks is closed from another thread."""
        self.over.set()
        self._read.close()
        self._tracked.close()
        self._threads[0].join(0.2)
        if self._threads[0].is_alive():
            closing = threading.Thread(target=self._close_source, name="close source", daemon=True)
            closing.start()  # `close` of a device that hangs may hang too
            closing.join(_CLOSE_TIMEOUT_S)

    def join(self, until_s: float) -> None:
        """Wait for both threads until a monotonic second."""
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
        produced, usual_s = 0, 0.0
        while not self.over.is_set() and produced != self._max_frames:
            self._read.wait_wanted(lead_s=_SOURCE_LEAD * usual_s)
            started_s = time.monotonic()
            try:
                frame = self._source.read()
            except TimeoutError:
                self.source_waits = True
                continue
            usual_s += _SMOOTHING * (_limited(time.monotonic() - started_s) - usual_s)
            if frame is None:
                return
            valid = self._validated(frame)
            if valid is not None:
                self._timings.frames_in += 1
                produced += 1
                self._read.put(valid)

    def _validated(self, frame: Frame) -> Frame | None:
        """Return the frame as `Frame` specifies it, or None if it is invalid."""
        try:
            frame = checked(frame)
        except ValueError as flaw:
            self.source_waits = True
            self._say(f"the source gave {flaw}; it is skipped")
            self.over.wait(0.005)  # limits the load of a source that gives nothing else
            return None
        self.source_waits = False
        return frame

    def _close_source(self) -> None:
        with contextlib.suppress(Exception):  # nothing can be done about a failing `close`
            self._source.close()

    def _tracker_loop(self) -> None:
        try:
            self._tracker.open()
            usual_s = 0.0  # to get a frame and find its faces
            while not self.over.is_set():
                self._tracked.wait_wanted(lead_s=_TRACKER_LEAD * usual_s)
                started_s = time.monotonic()
                frame = self._read.get(timeout_s=0.5)
                if frame is not None:
                    tracked = self._track(frame, idle=time.monotonic() - started_s > _IDLE_S)
                    usual_s += _SMOOTHING * (_limited(time.monotonic() - started_s) - usual_s)
                    self._tracked.put(tracked)
                    self._person_finder.search_due()
        except Closed:
            pass
        except Exception as error:
            self._fail(error, "tracker")
        finally:
            self._tracked.close()
            for model in (self._tracker, self._person_finder, self._hand_finder):
                with contextlib.suppress(Exception):  # the other models must be closed all the same
                    model.close()

    def _track(self, frame: Frame, *, idle: bool) -> TrackedFrame:
        """Find faces and persons; at the same time, in two threads, if the tracker was idle before the frame."""
        started_s = time.monotonic()
        needs_person = self._needs_person()
        if needs_person and idle:  # at full speed another thread would slow down the renderer
            self._person_finder.begin(frame.bgr, frame.time_s)
        faces = self._tracker.track(frame)
        person = self._person(frame, faces) if needs_person else None
        seen = self._recogniser.recognise(frame, faces) if self._recogniser is not None else Seen()
        if self._needs_hands():
            faces = self._with_hands(frame, faces)
        track_ms = (time.monotonic() - started_s) * 1e3
        self._timings.stage("track", track_ms)
        return TrackedFrame(
            frame,
            faces,
            track_ms,
            person,
            seen.names,
            None if person is None else self._person_finder.outlined,
            seen.lost,
            () if person is None else self._person_finder.heads,
        )

    def _with_hands(self, frame: Frame, faces: tuple[Face, ...]) -> tuple[Face, ...]:
        """Return the faces with the hands before them; without hands if they cannot be searched."""
        try:
            return self._hand_finder.with_hands(frame, faces)
        except Exception as error:
            self._say(f"the search for hands failed ({one_line(error)}); hands before faces are painted over")
            return faces

    def _person(self, frame: Frame, faces: tuple[Face, ...]) -> ImageU8 | None:
        """Return the person mask; None if segmentation fails, for which a covering look shows its fallback."""
        try:
            if not self._needs_everyone():
                return self._person_finder.mask(frame.bgr, frame.time_s)
            person = self._person_finder.persons(frame.bgr, faces, frame.time_s)
            if self._person_finder.untracked_heads:
                self._say(UNTRACKED)
            return person
        except Exception as error:
            self._say(f"person segmentation failed ({one_line(error)}); looks that need it show their fallback")
            return None


def _limited(seconds: float) -> float:
    """Limit a measured duration to 0..1 s, also after the clock was set."""
    return min(max(0.0, seconds), 1.0)
