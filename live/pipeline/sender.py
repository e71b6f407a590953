"""One thread per sink: opens it with the first frame, hands frames on, repeats the last one when none comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from engines.looks import Look
from live.control.controls import Controls
from live.pipeline.frame import Frame, ImageU8
from live.pipeline.latest_slot import Closed, LatestSlot
from live.pipeline.timing import Timings
from live.render.privacy_fallback import card, covered, hides_enough, stays_s
from live.sinks.base import FrameSink

STOP_WITHIN_S = 2.0  # nobody is waited for longer than this once the end was asked for
_LATE = 1.5  # this many frame intervals without a new frame, and a live sink gets the last one again
_EARLY = 0.4  # a frame that comes sooner than this part of an interval after the one before waits for its time


class Gate:
    """The last thing before a sink: what may not go out is replaced here, whatever the rest of the program is doing.

    - While panic is on, nothing but the card goes out.
    - A look that covers and is asked for lets no picture out that hides less, also none that was made before.
    - A picture that stays, because a stage is late, is held as long as the look says; then comes what follows.

    Args:
        controls: what is asked for now.
        films: every frame counts and wears what was asked for when it was made: only panic changes it afterwards.
    """

    def __init__(self, controls: Controls, *, films: bool = False) -> None:
        self._controls, self._films = controls, films
        self._card_bgr: ImageU8 | None = None
        self._covered: tuple[Frame, Look, Frame] | None = None  # the last frame that was covered: of what, by what look

    def __call__(self, frame: Frame, *, shown_s: float = 0.0) -> Frame:
        """The frame, or what goes out in its place; `shown_s` is how long this very picture has been shown."""
        state = self._controls.read()
        if state.panic:
            if self._card_bgr is None or self._card_bgr.shape != frame.bgr.shape:
                self._card_bgr = card(frame.size_wh)
            return replace(frame, bgr=self._card_bgr, cover=1.0)
        look = None if self._films else self._controls.look_of(state)
        if look is None:
            return frame
        late = not state.frozen and not 0.0 <= shown_s <= stays_s(look)  # below 0: the clock was set back
        return self._under(look, frame) if late or not hides_enough(frame, look, state.strength) else frame

    def _under(self, look: Look, frame: Frame) -> Frame:
        """The frame under the look's last resort; made once for a picture that is repeated."""
        if self._covered is None or self._covered[0].bgr is not frame.bgr or self._covered[1] is not look:
            self._covered = frame, look, covered(frame, look)
        return replace(frame, bgr=self._covered[2].bgr, cover=self._covered[2].cover)


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
        self._gate = Gate(controls, films=lossless)
        self._opened = False
        self._sent_s = float("-inf")
        self._newest: Frame | None = None
        self._owed: Frame | None = None  # the main thread's: it came too early and is not handed on yet
        self._came_s = 0.0  # when its picture was first handed on
        self.sent = 0
        self.thread = threading.Thread(target=self._loop, name=f"send {sink.name}", daemon=True)

    def start(self) -> None:
        """Start the sender's thread, unless the sink belongs to the main thread."""
        if not self.sink.main_thread:
            self.thread.start()

    def _loop(self) -> None:
        try:
            self._serve()
        except Closed:
            pass
        except Exception as error:  # whatever a device's library raises must end the program in one line
            self._fail(error)
        self.slot.close()  # nobody may wait for a sink that is gone
        try:
            self.sink.close()
        except Exception as error:
            self._fail(error)

    def _serve(self) -> None:
        """Hand frames on until the slot is closed; a live sink gets a steady pace."""
        last: Frame | None = None  # the newest frame that came
        owed = False  # it came too early and is not handed on yet
        intervals, early_s = _LATE, _EARLY / self._fps
        while True:
            if not self._paced or last is None:
                wait_s = 0.5
            elif owed:
                wait_s = min(max(0.0, self._sent_s + early_s - time.monotonic()), early_s)
            else:
                wait_s = intervals / self._fps
            frame = self.slot.get(timeout_s=wait_s)
            intervals = 1.0 if frame is None else _LATE
            if frame is not None:
                self.slot.dropped += owed
                last, owed = frame, self._paced and not self.due(early_s)
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
        if self._newest is None or frame.bgr is not self._newest.bgr:
            self._came_s = started_s
        self._newest = frame
        self.sink.send(self._gate(frame, shown_s=started_s - self._came_s))
        self._sent_s = now_s = time.monotonic()
        if not repeated:
            self.sent += 1
            if self._timings is not None:
                self._timings.stage("send", (now_s - started_s) * 1e3)
                self._timings.sent(captured_s=frame.captured_s, now_s=now_s)

    def turn(self, *, least_s: float, wait_s: float) -> None:
        """One turn of a sink that belongs to the main thread: the newest frame, or the last one again, and its events.

        Args:
            least_s: frames are handed on no more often; of what comes earlier the newest waits for its time.
            wait_s: how long to wait for a new frame.

        Raises:
            SinkError: the sink cannot be opened or refuses the frame.
        """
        with contextlib.suppress(Closed):
            frame = self.slot.get(timeout_s=wait_s)
            if frame is not None:
                self.slot.dropped += self._owed is not None
                self._owed = frame
            if self._owed is not None and self.due(least_s):
                frame, self._owed = self._owed, None
                self.hand_on(frame)
            elif self._owed is None and self._newest is not None and self.due(_LATE / self._fps):
                self.hand_on(self._newest, repeated=True)
        if self._opened:
            self.sink.pump()

    def due(self, interval_s: float) -> bool:
        """Whether the last frame was handed on at least so long ago, or the clock was set back."""
        return not 0 <= time.monotonic() - self._sent_s < interval_s

    def finish(self) -> None:
        """No more frames; the sink is closed when the last one is out."""
        self.slot.close()
        if self.sink.main_thread:
            self.sink.close()
