"""One frame's way through the program: camera thread, tracker thread, composing thread, one sender thread per sink.

Every hand-over holds one item and the newest wins; from a file to a file nothing is dropped, by the same code. The main
thread only waits, and shows the preview window: signals and keys are heard whatever the other threads hang on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.errors import EngineError, SinkError, SourceError, TrackingError, VeneerError
from engines.text import one_line
from live.control.controls import Controls, ControlState
from live.pipeline.frame import Frame
from live.pipeline.gc_freeze import GcFreeze
from live.pipeline.ingest import Ingest
from live.pipeline.latest_slot import Closed
from live.pipeline.sender import STOP_WITHIN_S, Sender
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LookLoader
from live.sinks.base import FrameSink
from live.sources.base import FrameSource, SourceInfo
from live.tracking.base import FaceTracker

_PREVIEW_INTERVAL_S = 1 / 60  # a window is not shown more often than this
_TURN_S = 0.012  # so long a window waits for a new frame before it looks after its events
_MOST_FPS = 1000.0  # more is no pace
_CLOSE_WITHIN_S = 0.3  # so long the looks have for letting go, however late it is
_LAST_S = 0.3  # of the 2 s, what is kept for that
_KINDS = {
    "source": SourceError,
    "tracker": TrackingError,
    "looks": EngineError,
    "painting": EngineError,
}  # else: a sink


@dataclass(frozen=True, slots=True)
class Parts:
    """What a pipeline is made of; it opens and closes all of them."""

    source: FrameSource
    tracker: FaceTracker
    sinks: Sequence[FrameSink]
    look_loader: LookLoader
    controls: Controls


class Pipeline:
    """Runs frames from the source to the sinks until the end, a stop or a failure.

    Args:
        parts: source, tracker, sinks, wardrobe and controls.
        fps: the pace of live sinks, and the timing of files made from a live source.
        frames: stop after this many; None for no limit.
        say: takes one line for the person at the terminal.
        on_frame: called in the composing thread with every finished frame (snapshots, recording).
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
        self.lossless = not parts.source.live and not all(sink.live for sink in parts.sinks)
        self.interrupted = False  # a signal ended the run before its own end
        self._fps, self._frames, self._on_frame = fps, frames, on_frame
        self._stop = threading.Event()  # somebody asked for the end, or something failed
        self._dressed = threading.Event()  # the first look is ready
        self._composed = threading.Event()  # the composing thread is done
        self._ending = threading.Lock()  # no sender is started once the end has begun
        self._left_behind = False  # the end did not wait for the composing thread
        self._error: VeneerError | None = None
        self._senders: list[Sender] = []
        self._spared: GcFreeze | None = None
        parts.controls.set_looks(parts.look_loader.looks)
        look_of = parts.controls.look_of  # nothing bare leaves once a covering look is asked for
        self._renderer = FrameRenderer(parts.look_loader, self.timings, say, look_of=look_of, patient=self.lossless)
        self._ingest = Ingest(
            parts.source,
            parts.tracker,
            lossless=self.lossless,
            frames=frames,
            wants_person=lambda: self._renderer.wants_person(parts.controls.read().look),
            timings=self.timings,
            fail=self.fail,
            say=say,
        )

    @property
    def source_info(self) -> SourceInfo | None:
        """What the source says of itself, once open."""
        return self._ingest.info

    @property
    def source_waits(self) -> bool:
        """Whether nothing comes from the source just now."""
        return self._ingest.source_waits

    @property
    def dropped(self) -> int:
        """Frames that came in and did not reach the first sink because a newer one was there."""
        return self._ingest.dropped + (self._senders[0].slot.dropped if self._senders else 0)

    def stop(self) -> None:
        """Ask for the end, from any thread; `run` returns within 2 s."""
        self._stop.set()
        self._ingest.over.set()

    def interrupt(self) -> None:
        """The same from a signal handler: what was made so far is not all that was wanted.

        Sets a flag and takes no lock: a second signal may come while the first one is being handled.
        """
        self.interrupted = True

    def fail(self, error: Exception, where: str) -> None:
        """Note why the run cannot go on, and stop it; the first reason counts."""
        if self._error is None:
            if not isinstance(error, VeneerError):
                error = _KINDS.get(where, SinkError)(where, f"failed ({one_line(error)})")
            self._error = error
        self.stop()

    def run(self) -> None:
        """Run to the end.

        Raises:
            VeneerError: why it could not start or go on; everything is closed then.
        """
        dressing = threading.Thread(target=self._look_loader_loop, name="wardrobe", daemon=True)
        composing = threading.Thread(target=self._compose_loop, name="compose", daemon=True)
        self._ingest.start()
        dressing.start()
        composing.start()
        try:
            self._watch()
        finally:
            self._shut(composing, dressing)
            if self._spared is not None:
                self._spared.end()
        if self._error is not None:
            raise self._error

    def _look_loader_loop(self) -> None:
        try:
            self._renderer.wear(self.parts.look_loader.prepare(self.parts.controls.read().look))
            self._dressed.set()
            self.parts.look_loader.prepare_all()
        except Exception as error:
            self.fail(error, "looks")

    def _compose_loop(self) -> None:
        try:
            while not self._dressed.wait(0.05):
                if self._stop.is_set():
                    return
            self._loop()
        except Closed:
            pass
        except Exception as error:
            self.fail(error, "painting")
        finally:
            with self._ending:
                self._composed.set()
            with contextlib.suppress(Exception):  # a model that cannot be closed keeps nobody waiting
                self._renderer.close()
            if self._left_behind:  # it hung in an engine, and nobody waited any longer
                self._close_looks()

    def _loop(self) -> None:
        composed = 0
        while not self._ingest.over.is_set():
            tracked = self._ingest.get(timeout_s=0.1)
            if tracked is None:
                continue
            state = self.parts.controls.read()  # once: a frame is made of one state
            frame = self._renderer.compose(tracked, state)
            if self._ingest.over.is_set():
                return  # the end came meanwhile
            if not self._senders:
                self._start_senders()
            self._hand_out(frame, state)
            composed += 1
            if self._frames is not None and not self.lossless and composed >= self._frames:
                return

    def _start_senders(self) -> None:
        with self._ending:
            if self._ingest.over.is_set():
                raise Closed
            self._spared = self._spared or GcFreeze()
            self._senders = [self._sender(index, sink) for index, sink in enumerate(self.parts.sinks)]
            for sender in self._senders:
                sender.start()

    def _sender(self, index: int, sink: FrameSink) -> Sender:
        return Sender(
            sink,
            lossless=not self.parts.source.live and not sink.live,
            fps=self._pace(),
            controls=self.parts.controls,
            timings=self.timings if index == 0 else None,
            fail=lambda error: self.fail(error, f"sink {sink.name}"),
        )

    def _pace(self) -> float:
        info = self.source_info
        told = info is not None and 0 < info.fps <= _MOST_FPS and not self.parts.source.live
        return info.fps if info is not None and told else self._fps

    def _hand_out(self, frame: Frame, state: ControlState) -> None:
        for sender in self._senders:
            with contextlib.suppress(Closed):
                sender.slot.put(frame, stopped=self._stop.is_set)
        if self._on_frame is not None:
            self._on_frame(frame, state)

    def _watch(self) -> None:
        """What the main thread does until the end: show the windows, and wait."""
        while not self._is_ended():
            over = self._composed.is_set()
            windows = [sender for sender in self._senders if sender.sink.main_thread]
            for sender in windows:
                try:
                    sender.turn(least_s=_PREVIEW_INTERVAL_S, wait_s=0.0 if over else _TURN_S)
                except Exception as error:
                    self.fail(error, f"sink {sender.sink.name}")
            if over:
                return
            if not windows:
                self._composed.wait(0.05)

    def _is_ended(self) -> bool:
        """Whether the end was asked for: by a signal, a key, a failure."""
        if self.interrupted:
            self.stop()
        return self._stop.is_set() or self.parts.controls.read().quit

    def _shut(self, composing: threading.Thread, dressing: threading.Thread) -> None:
        """Close everything, from the front to the back; nobody is waited for longer than 2 s after a stop."""
        asked = self._is_ended()
        until_s = time.monotonic() + STOP_WITHIN_S - 0.5
        with self._ending:
            self._ingest.over.set()
        self._ingest.close()
        composing.join(0.3)
        for sender in self._senders:
            if asked and sender.sink.live:
                sender.slot.drain()
            try:
                sender.finish()
            except Exception as error:
                self.fail(error, f"sink {sender.sink.name}")
        self._await_senders(until_s if asked else None)
        composing.join(max(0.05, until_s - time.monotonic()))
        self._ingest.join(until_s - 0.3)
        dressing.join(max(0.05, min(0.3, until_s - time.monotonic())))  # it may be loading what nobody will wear
        with self._ending:
            self._left_behind = not self._composed.is_set()
        if not self._left_behind:  # an engine is not taken away from under whoever hangs in it
            closing = threading.Thread(target=self._close_looks, name="close looks", daemon=True)
            closing.start()  # aside: a library may hang in its own end
            closing.join(max(_CLOSE_WITHIN_S, until_s + _LAST_S - time.monotonic()))

    def _close_looks(self) -> None:
        with contextlib.suppress(Exception):  # by its promise it never raises, and nothing could be done about it
            self.parts.look_loader.close()

    def _await_senders(self, until_s: float | None) -> None:
        """Wait until every sink is finished; not longer than 2 s once the end was asked for."""
        for sender in self._senders:
            while not sender.sink.main_thread and sender.thread.is_alive():
                if until_s is None and self._is_ended():
                    until_s = time.monotonic() + STOP_WITHIN_S - 0.5
                if until_s is not None and time.monotonic() >= until_s:
                    break
                sender.thread.join(0.1)
