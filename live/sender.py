"""One thread per sink: opens it with the first frame, hands frames on, repeats the last one when none comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from live.controls import Controls
from live.cover import card
from live.frame import Frame, ImageU8
from live.latest import Closed, LatestSlot
from live.sinks.base import FrameSink
from live.timing import Timings

STOP_WITHIN_S = 2.0  # nobody is waited for longer than this once the end was asked for
_LATE = 1.5  # this many frame intervals without a new frame, and a live sink gets the last one again
_EARLY = 0.4  # a frame that comes sooner than this part of an interval after the one before waits for its time


class Gate:
    """The last thing before a sink: while panic is on, nothing but the card goes out, whatever came in."""

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._card_bgr: ImageU8 | None = None

    def __call__(self, frame: Frame) -> Frame:
        """The frame, or the card in its place."""
        if not self._controls.read().panic:
            return frame
        if self._card_bgr is None or self._card_bgr.shape != frame.bgr.shape:
            self._card_bgr = card(frame.size_wh)
        return replace(frame, bgr=self._card_bgr)


class Sender:
    """Feeds one sink.

    Args:
        sink: opened, used and closed by the sender's own thread (or by the main thread, where the sink wants that).
        lossless: every frame counts; otherwise the newest wins.
        fps: the pace of a live sink.
        timings: told of each new frame, by one sender only (the first sink's); None for the others.
        fail: called with the error that ended this sender.
    """

    def __init__(
        self,
        sink: FrameSink,
        *,
        lossless: bool,
        fps: float,
        controls: Controls,
        timings: Timings | None,
        fail: Callable[[Exception], None],
    ) -> None:
        self.sink = sink
        self.slot: LatestSlot[Frame] = LatestSlot(lossless=lossless)
        self._paced = sink.live and not lossless
        self._fps, self._timings, self._fail = fps, timings, fail
        self._gate = Gate(controls)
        self._opened = False
        self._sent_s = float("-inf")
        self.sent = 0
        self.thread = threading.Thread(target=self._loop, name=f"send {sink.name}", daemon=True)

    def start(self) -> None:
        """Start the sender's thread, unless the sink belongs to the main thread."""
        if not self.sink.main_thread:
            self.thread.start()

    def _loop(self) -> None:
        try:
            try:
                self._serve()
            except Closed:
                pass
            finally:
                self.slot.close()  # nobody may wait for a sink that is gone
                self.sink.close()
        except Exception as error:  # whatever a device's library raises must end the program in one line
            self._fail(error)

    def _serve(self) -> None:
        """Hand frames on until the slot is closed; a live sink gets a steady pace."""
        last: Frame | None = None  # the newest frame that came
        owed = False  # it came too early and is not handed on yet
        intervals = _LATE
        while True:
            if not self._paced or last is None:
                wait_s = 0.5
            elif owed:
                wait_s = max(0.0, self._sent_s + _EARLY / self._fps - time.monotonic())
            else:
                wait_s = intervals / self._fps
            frame = self.slot.get(timeout_s=wait_s)
            intervals = 1.0 if frame is None else _LATE
            if frame is not None:
                self.slot.dropped += owed
                last, owed = frame, self._paced and time.monotonic() - self._sent_s < _EARLY / self._fps
                if not owed:
                    self.hand_on(frame)
            elif last is not None and self._paced:
                self.hand_on(last, repeated=not owed)
                owed = False

    def hand_on(self, frame: Frame, *, repeated: bool = False) -> None:
        """Give one frame to the sink, now and in this thread.

        Raises:
            SinkError: the sink cannot be opened or refuses the frame.
        """
        started_s = time.monotonic()
        if not self._opened:
            self.sink.open(size_wh=frame.size_wh, fps=self._fps)
            self._opened = True
            started_s = time.monotonic()
        self.sink.send(self._gate(frame))
        self._sent_s = now_s = time.monotonic()
        if not repeated:
            self.sent += 1
            if self._timings is not None:
                self._timings.stage("send", (now_s - started_s) * 1e3)
                self._timings.sent(captured_s=frame.captured_s, now_s=now_s)

    def repeat(self, frame: Frame, *, after_s: float) -> None:
        """Show a frame again if nothing was handed on for `after_s`: what is written on it may have changed."""
        if self.due(after_s):
            self.hand_on(frame, repeated=True)

    def due(self, interval_s: float) -> bool:
        """Whether the last frame was handed on at least so long ago."""
        return time.monotonic() - self._sent_s >= interval_s

    def finish(self) -> None:
        """No more frames; the sink is closed when the last one is out."""
        self.slot.close()
        if self.sink.main_thread:
            self.sink.close()
