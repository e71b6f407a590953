"""One frame's way through the program: camera thread, tracker thread, this loop, one sender thread per sink.

Every hand-over holds one item and the newest wins; from a file to a file nothing is dropped, by the same code.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.errors import SinkError, SourceError, TrackingError, VeneerError
from live.composer import Composer
from live.controls import Controls, ControlState
from live.frame import Frame, TrackedFrame
from live.latest import Closed, LatestSlot
from live.sender import STOP_WITHIN_S, Sender
from live.sinks.base import FrameSink
from live.sources.base import FrameSource, SourceInfo
from live.timing import Timings
from live.tracking.base import FaceTracker
from live.tracking.person import PersonSegmenter
from live.wardrobe import Wardrobe

_PREVIEW_INTERVAL_S = 1 / 60  # a window is not shown more often than this


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of; it opens and closes all of them."""

    source: FrameSource
    tracker: FaceTracker
    sinks: Sequence[FrameSink]
    wardrobe: Wardrobe
    controls: Controls


class Pipeline:
    """Runs frames from the source to the sinks until the end, a stop or a failure.

    Args:
        parts: source, tracker, sinks, wardrobe and controls.
        fps: the pace of live sinks, and the timing of files made from a live source.
        frames: stop after this many; None for no limit.
        say: takes one line for the person at the terminal.
        on_frame: called in the loop with every finished frame (snapshots, recording).
    """

    def __init__(
        self,
        parts: Parts,
        *,
        fps: float = 30.0,
        frames: int | None = None,
        say: Callable[[str], None],
        on_frame: Callable[[Frame, ControlState], None] | None = None,
    ) -> None:
        self.parts, self.timings = parts, Timings()
        self.source_info: SourceInfo | None = None
        self.lossless = not parts.source.live and not all(sink.live for sink in parts.sinks)
        self._fps, self._frames, self._on_frame = fps, frames, on_frame
        self._read: LatestSlot[Frame] = LatestSlot(lossless=self.lossless)
        self._tracked: LatestSlot[TrackedFrame] = LatestSlot(lossless=self.lossless)
        self._stop = threading.Event()  # somebody asked for the end, or something failed
        self._over = threading.Event()  # the threads in front have no more to do
        self._dressed = threading.Event()  # the first look is ready
        self.interrupted = False  # a signal ended the run before its own end
        self._error: VeneerError | None = None
        self._composer = Composer(parts.wardrobe, self.timings, say)
        self._segmenter = PersonSegmenter()  # loads nothing before it is asked
        self._senders: list[Sender] = []
        self.source_waits = False

    @property
    def dropped(self) -> int:
        """Frames that came in and did not reach the first sink because a newer one was there."""
        sinks = self._senders[0].slot.dropped if self._senders else 0
        return self._read.dropped + self._tracked.dropped + sinks

    def stop(self) -> None:
        """Ask for the end, from any thread or a signal handler; `run` returns within 2 s."""
        self._stop.set()
        self._over.set()

    def interrupt(self) -> None:
        """The same, by a signal: what was made so far is not all that was wanted."""
        self.interrupted = True
        self.stop()

    def fail(self, error: Exception, *, where: str = "") -> None:
        """Note why the run cannot go on, and stop it; the first reason counts."""
        if self._error is None:
            if not isinstance(error, VeneerError):
                got = f"{type(error).__name__}: {error}".splitlines()[0]
                kind = SinkError if where.startswith("sink") else TrackingError if where == "tracker" else SourceError
                error = kind(where or "sink", f"failed ({got})")
            self._error = error
        self.stop()

    def run(self) -> None:
        """Run to the end.

        Raises:
            VeneerError: why it could not start or go on; everything is closed then.
        """
        threads = [
            threading.Thread(target=self._source_loop, name="source", daemon=True),
            threading.Thread(target=self._tracker_loop, name="tracker", daemon=True),
            threading.Thread(target=self._wardrobe_loop, name="wardrobe", daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            self._loop()
        except VeneerError as error:
            self.fail(error)
        finally:
            self._shut(threads)
        if self._error is not None:
            raise self._error

    def _wardrobe_loop(self) -> None:
        try:
            self._composer.wear(self.parts.wardrobe.prepare(self.parts.controls.read().look))
            self._dressed.set()
            self.parts.wardrobe.prepare_all()
        except Exception as error:
            self.fail(error, where="looks")

    def _source_loop(self) -> None:
        source, produced = self.parts.source, 0
        try:
            self.source_info = source.open()
            reading_s = 0.0  # how long a read usually takes
            while not self._over.is_set():
                self._read.wait_wanted(lead_s=0.3 * reading_s)  # the middle way between full speed and fresh pictures
                started_s = time.monotonic()
                try:
                    frame = source.read()
                except TimeoutError:
                    self.source_waits = True
                    continue
                self.source_waits = False
                reading_s += 0.1 * (min(time.monotonic() - started_s, 1.0) - reading_s)
                if frame is None:
                    break
                self.timings.frames_in += 1
                produced += 1
                self._read.put(frame)
                if self.lossless and produced == self._frames:
                    break
        except Closed:
            pass
        except Exception as error:
            self.fail(error, where="source")
        finally:
            self._read.close()
            source.close()

    def _tracker_loop(self) -> None:
        tracker = self.parts.tracker
        try:
            tracker.open()
            while not self._over.is_set():
                frame = self._read.get(timeout_s=0.5)
                if frame is None:
                    continue
                started_s = time.monotonic()
                faces = tracker.track(frame)
                look = self.parts.controls.read().look
                person = self._segmenter.mask(frame.bgr) if self._composer.wants_person(look) else None
                track_ms = (time.monotonic() - started_s) * 1e3
                self.timings.stage("track", track_ms)
                self._tracked.put(TrackedFrame(frame, faces, track_ms, person))
        except Closed:
            pass
        except Exception as error:
            self.fail(error, where="tracker")
        finally:
            self._tracked.close()
            for model in (tracker, self._segmenter):
                with contextlib.suppress(Exception):  # a model that cannot be closed is no reason to hide another one
                    model.close()

    def _loop(self) -> None:
        composed = 0
        preview: Sender | None = None
        frame: Frame | None = None
        while not self._dressed.wait(0.05):
            if self._stop.is_set():
                return
        while not self._stop.is_set() and not self.parts.controls.read().quit:
            preview = preview or next((s for s in self._senders if s.sink.main_thread), None)
            try:
                tracked = self._tracked.get(timeout_s=0.015 if preview else 0.1)
            except Closed:
                return
            if preview is not None:
                getattr(preview.sink, "pump", lambda: None)()
            if tracked is None:
                if preview is not None and frame is not None:
                    preview.repeat(frame, after_s=0.1)
                continue
            state = self.parts.controls.read()  # once: a frame is made of one state
            frame = self._composer.compose(tracked, state)
            if not self._senders:
                self._start_senders()
            self._hand_out(frame, state)
            composed += 1
            if self._frames is not None and not self.lossless and composed >= self._frames:
                return

    def _start_senders(self) -> None:
        for index, sink in enumerate(self.parts.sinks):
            sender = Sender(
                sink,
                lossless=not self.parts.source.live and not sink.live,
                fps=self._pace(),
                controls=self.parts.controls,
                timings=self.timings if index == 0 else None,
                fail=lambda error, name=sink.name: self.fail(error, where=f"sink {name}"),  # type: ignore[misc]
            )
            sender.start()
            self._senders.append(sender)

    def _pace(self) -> float:
        info = self.source_info
        return info.fps if info is not None and info.fps > 0 and not self.parts.source.live else self._fps

    def _hand_out(self, frame: Frame, state: ControlState) -> None:
        for sender in self._senders:
            if not sender.sink.main_thread:
                with contextlib.suppress(Closed):
                    sender.slot.put(frame, stopped=self._stop.is_set)
            elif sender.due(_PREVIEW_INTERVAL_S):
                sender.hand_on(frame)
            else:
                sender.slot.dropped += 1
        if self._on_frame is not None:
            self._on_frame(frame, state)

    def _shut(self, threads: list[threading.Thread]) -> None:
        """Close everything, from the front to the back; nobody is waited for longer than 2 s after a stop."""
        asked = self._stop.is_set() or self.parts.controls.read().quit
        until_s = time.monotonic() + STOP_WITHIN_S - 0.3
        self._over.set()
        for slot in (self._read, self._tracked):
            slot.close()
        threads[0].join(0.2)
        if threads[0].is_alive():
            self.parts.source.close()
        for sender in self._senders:
            if asked and sender.sink.live:
                sender.slot.drain()
            try:
                sender.finish()
            except Exception as error:
                self.fail(error, where=f"sink {sender.sink.name}")
        self._await_senders(until_s if asked else None)
        self.parts.wardrobe.close()
        for thread in threads:
            thread.join(max(0.05, until_s - time.monotonic()))

    def _await_senders(self, until_s: float | None) -> None:
        """Wait until every sink is finished; not longer than 2 s once the end was asked for."""
        for sender in self._senders:
            while not sender.sink.main_thread and sender.thread.is_alive():
                if until_s is None and self._stop.is_set():
                    until_s = time.monotonic() + STOP_WITHIN_S - 0.3
                if until_s is not None and time.monotonic() >= until_s:
                    break
                sender.thread.join(0.1)
