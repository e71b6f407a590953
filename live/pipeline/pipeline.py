"""A run's threads: source, tracker, renderer, and one sender per sink.

Every hand-over holds one item and the newest wins; from a file to a file nothing is dropped, by the same code. The main
thread waits and serves the preview window, so signals and keys work whatever the other threads do.
"""

from __future__ import annotations

import contextlib
import gc
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engines.errors import EngineError, SinkError, SourceError, TrackingError, VeneerError
from engines.text import one_line
from live.control.controls import Controls, ControlState
from live.pipeline.frame import Frame
from live.pipeline.ingest import Ingest
from live.pipeline.latest_slot import Closed
from live.pipeline.sender import STOP_TIMEOUT_S, Sender, queue_capacity
from live.pipeline.sink_group import SinkGroup
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LookLoader
from live.render.privacy_policy import PrivacyPolicy
from live.sinks.base import FrameSink
from live.sources.base import FrameSource, SourceInfo
from live.tracking.base import FaceTracker
from live.tracking.recogniser import Recogniser

_WINDOW_TIMEOUT_S = 0.012  # how long a window waits for a new frame before it processes its events
_MAX_FPS = 1000.0  # higher declared rates are ignored
_JOIN_TIMEOUT_S = STOP_TIMEOUT_S - 0.5  # the rest is for closing the looks and for a late thread
_CLOSE_TIMEOUT_S = 0.3
# Array operations release the interpreter's lock. With its default of 5 ms, a thread may wait that long to go on.
_SWITCH_INTERVAL_S = 2e-4
_MAX_MESSAGES = 32  # different ones per run
_MAX_OWN_FROZEN = 1000  # objects that the interpreter itself may have excluded from garbage collections
_ERROR_TYPES = {"source": SourceError, "tracker": TrackingError, "looks": EngineError, "rendering": EngineError}


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a pipeline, which opens and closes all of them."""

    source: FrameSource
    tracker: FaceTracker
    sinks: Sequence[FrameSink]
    look_loader: LookLoader
    controls: Controls
    recogniser: Recogniser | None = None


class Pipeline:
    """Runs frames from the source to the sinks until the end, a stop or a failure.

    Args:
        fps: The pace of live sinks, and the frame rate of files recorded from a live source.
        frames: Stop after this many; None for no limit.
        say: Receives one-line messages for the user.
        on_frame: Called in the rendering thread with every rendered frame (snapshots, recording).

    Attributes:
        sinks: The senders of the run; the first one measures `timings`.
        policy: Applied by the renderer and by the gate of every sink.
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
        self.interrupted = False  # by a signal
        self.before_painting: Callable[[Frame], None] | None = None  # called with every frame as captured
        self._fps, self._frames, self._on_frame, self._say = fps, frames, on_frame, say
        self._messages: set[str] = set()
        self._stop = threading.Event()  # stop requested, or failed
        self._look_loaded = threading.Event()  # the first look
        self._rendered = threading.Event()  # the rendering thread is done
        self._renderer_hangs = False  # the end did not wait for the rendering thread
        self._error: VeneerError | None = None
        self.sinks = SinkGroup(self._sender, self.timings, say, over=lambda: self._ingest.over.is_set(), fail=self.fail)
        self._at_end = contextlib.ExitStack()
        parts.controls.set_looks(parts.look_loader.looks)
        self.policy = PrivacyPolicy(parts.controls.look_of)
        self._renderer = FrameRenderer(
            parts.look_loader, self.timings, self._say_once, policy=self.policy, wait_for_looks=self.lossless
        )
        self._ingest = Ingest(
            parts.source,
            parts.tracker,
            lossless=self.lossless,
            frames=frames,
            needs_person=lambda: self._renderer.needs_person(parts.controls.read().look),
            needs_everyone=lambda: self._renderer.needs_everyone(parts.controls.read().look),
            needs_hands=lambda: self._renderer.needs_hands(parts.controls.read().look),
            recogniser=parts.recogniser,
            timings=self.timings,
            fail=self.fail,
            say=self._say_once,
        )

    @property
    def source_info(self) -> SourceInfo | None:
        """The source's properties, once it is open."""
        return self._ingest.info

    @property
    def source_waits(self) -> bool:
        """Whether the source has no frame at the moment."""
        return self._ingest.source_waits

    @property
    def dropped(self) -> int:
        """Number of frames that were replaced by a newer one, or discarded, before they reached the first sink."""
        return self._ingest.dropped + self.sinks.dropped

    def is_stopping(self) -> bool:
        """Whether the end was requested; may be called from any thread."""
        return self._stop.is_set() or self.interrupted or self.parts.controls.read().quit

    def stop(self) -> None:
        """Request the end, from any thread; `run` returns within 2 s."""
        self._stop.set()
        self._ingest.over.set()

    def interrupt(self) -> None:
        """Request the end from a signal handler.

        Only sets a flag and takes no lock: a second signal may arrive while the first one is handled.
        """
        self.interrupted = True

    def fail(self, error: Exception, where: str) -> None:
        """Record why the run cannot continue, and stop it; only the first error is kept."""
        if self._error is None:
            if not isinstance(error, VeneerError):
                error = _ERROR_TYPES.get(where, SinkError)(where, f"failed ({one_line(error)})")
            self._error = error
        self.stop()

    def run(self) -> None:
        """Run to the end. Raises VeneerError if the run could not start or continue; everything is closed."""
        loader = threading.Thread(target=self._load_looks, name="look loader", daemon=True)
        renderer = threading.Thread(target=self._render_loop, name="render", daemon=True)
        self._ingest.start()
        loader.start()
        renderer.start()
        try:
            self._main_loop()
        finally:
            self._shut_down(renderer, loader)
            self._at_end.close()
        if self._error is not None:
            raise self._error

    def _say_once(self, line: str) -> None:
        if line not in self._messages and len(self._messages) < _MAX_MESSAGES:
            self._messages.add(line)
            self._say(line)

    def _load_looks(self) -> None:
        try:
            self._renderer.select(self.parts.look_loader.load(self.parts.controls.read().look))
            self._look_loaded.set()
            sys.setswitchinterval(_SWITCH_INTERVAL_S)
            self.parts.look_loader.load_all()
        except Exception as error:
            self.fail(error, "looks")

    def _render_loop(self) -> None:
        try:
            while not self._look_loaded.wait(0.05):
                if self._stop.is_set():
                    return
            self._render_frames()
        except Closed:
            pass
        except Exception as error:
            self.fail(error, "rendering")
        finally:
            with self.sinks.lock:
                self._rendered.set()
            with contextlib.suppress(Exception):
                self._renderer.close()
            if self._renderer_hangs:  # the blocked call has returned, after `run` ended
                self._close_looks()

    def _render_frames(self) -> None:
        rendered = 0
        while not self._ingest.over.is_set():
            tracked = self._ingest.get(timeout_s=0.1)
            if tracked is None:
                continue
            state = self.parts.controls.read()  # once per frame: it is rendered by one state
            if self.before_painting is not None:
                self.before_painting(tracked.frame)
            frame = self._renderer.render(tracked, state)
            if self._ingest.over.is_set():
                return
            if not self.sinks.senders:
                self._start_senders(frame)
            for sender in self.sinks.senders:
                with contextlib.suppress(Closed):
                    sender.slot.put(frame, stopped=self._stop.is_set)
            if self._on_frame is not None:
                self._on_frame(frame, state)
            rendered += 1
            if self._frames is not None and not self.lossless and rendered >= self._frames:
                return

    def _start_senders(self, first: Frame) -> None:
        with self.sinks.lock:
            if self._ingest.over.is_set():
                raise Closed
            if gc.get_freeze_count() < _MAX_OWN_FROZEN:  # else another run in this process did it
                # A full collection traverses 100,000 objects of the libraries, and stops all threads for 50 ms.
                gc.freeze()
                self._at_end.callback(gc.unfreeze)
            self.sinks.start(self.parts.sinks, first)

    def _sender(
        self, sink: FrameSink, first: Frame, timings: Timings | None, fail: Callable[[Exception], None] | None
    ) -> Sender:
        live, info = self.parts.source.live, self.source_info
        return Sender(
            sink,
            policy=self.policy,
            controls=self.parts.controls,
            lossless=not live and not sink.live,
            capacity=1 if sink.live or not live else queue_capacity(first),
            fps=info.fps if info is not None and 0 < info.fps <= _MAX_FPS and not live else self._fps,
            timings=timings,
            fail=fail or (lambda error: self.fail(error, f"sink {sink.name}")),
        )

    def _main_loop(self) -> None:
        """Serve the windows and wait, until the end."""
        while not self._is_stopped():
            over = self._rendered.is_set()
            windows = self.sinks.serve_windows(timeout_s=0.0 if over else _WINDOW_TIMEOUT_S)
            if over:
                return
            if not windows:
                self._rendered.wait(0.05)

    def _is_stopped(self) -> bool:
        """Whether the end was requested by a signal, a key or a failure."""
        if self.interrupted:
            self.stop()
        return self.is_stopping()

    def _shut_down(self, renderer: threading.Thread, loader: threading.Thread) -> None:
        """Close everything, from the source to the sinks; after a stop, within 2 s."""
        stopped = self._is_stopped()
        until_s = time.monotonic() + _JOIN_TIMEOUT_S
        with self.sinks.lock:
            self._ingest.over.set()
        self._ingest.close()
        renderer.join(0.3)
        self.sinks.finish(drain=stopped)
        self._join_senders(until_s if stopped else None)
        renderer.join(max(0.05, until_s - time.monotonic()))
        self._ingest.join(until_s - 0.3)
        loader.join(max(0.05, min(0.3, until_s - time.monotonic())))  # it may be loading a look
        with self.sinks.lock:
            self._renderer_hangs = not self._rendered.is_set()
        if not self._renderer_hangs:  # an engine must not be closed while the renderer uses it
            closing = threading.Thread(target=self._close_looks, name="close looks", daemon=True)
            closing.start()  # a library may hang while it closes
            closing.join(max(_CLOSE_TIMEOUT_S, until_s + _CLOSE_TIMEOUT_S - time.monotonic()))

    def _close_looks(self) -> None:
        with contextlib.suppress(Exception):  # nothing can be done about a failing `close`
            self.parts.look_loader.close()

    def _join_senders(self, until_s: float | None) -> None:
        """Wait until every sink is finished; after a stop, not longer than the timeout."""
        for sender in self.sinks.senders:
            while not sender.sink.main_thread and sender.thread.is_alive():
                if until_s is None and self._is_stopped():
                    until_s = time.monotonic() + _JOIN_TIMEOUT_S
                if until_s is not None and time.monotonic() >= until_s:
                    break
                sender.thread.join(0.1)
