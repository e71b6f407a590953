"""One thread per sink: opens it with the first frame, sends frames, and repeats the last one if none comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable

from live.control.controls import Controls
from live.pipeline.frame import Frame
from live.pipeline.latest_slot import Closed, LatestSlot
from live.pipeline.timing import Timings
from live.render.privacy_fallback import fallback_frame
from live.render.privacy_policy import PrivacyPolicy
from live.sinks.base import FrameSink

STOP_TIMEOUT_S = 2.0
_REPEAT_AFTER = 1.5  # frame intervals without a new frame after which a live sink gets the last one again
_MIN_INTERVAL = 0.4  # of a frame interval: a frame that comes earlier after the previous one is delayed
# Frames that wait for a file while its encoder is opened or the disk is busy: a second at 720p, three frames of 4K.
_MAX_QUEUED_FRAMES, _MAX_QUEUED_BYTES = 30, 96_000_000


def queue_capacity(frame: Frame) -> int:
    """Return how many frames of this size may wait for a file of a live source."""
    return max(1, min(_MAX_QUEUED_FRAMES, _MAX_QUEUED_BYTES // frame.bgr.nbytes))


class Sender:
    """Sends frames to one sink.

    Args:
        sink: opened, used and closed in the sender's own thread, or in the main thread if the sink requires it.
        policy: By default one for the looks of the controls.
        lossless: Every frame waits for its turn; otherwise the newest wins.
        capacity: Number of frames that may wait; see `queue_capacity`.
        fps: The pace of a live sink.
        timings: Receives each new frame; None for all senders but the first.
        fail: Called with the error that ends the sender.

    Attributes:
        sent: Number of frames, without repetitions.
        output: The frame that the sink shows now, as the gate returned it; None before the first one.
    """

    def __init__(
        self,
        sink: FrameSink,
        *,
        controls: Controls,
        policy: PrivacyPolicy | None = None,
        lossless: bool,
        capacity: int = 1,
        fps: float,
        timings: Timings | None,
        fail: Callable[[Exception], None],
    ) -> None:
        self.sink = sink
        self.slot: LatestSlot[Frame] = LatestSlot(lossless=lossless, capacity=capacity)
        self._paced = sink.live and not lossless
        self._fps, self._timings, self._fail = fps, timings, fail
        self._policy, self._controls, self._film = policy or PrivacyPolicy(controls.look_of), controls, lossless
        self._opened = False
        self._sent_s = float("-inf")
        self._newest: Frame | None = None  # the frame that was sent last
        self._delayed: Frame | None = None  # came too early
        self._repeat_after = _REPEAT_AFTER  # frame intervals until the next repetition
        self._first_shown_s = 0.0  # when the newest frame's picture was first sent
        self.sent = 0
        self.output: Frame | None = None
        self.thread = threading.Thread(target=self._loop, name=f"send {sink.name}", daemon=True)

    @property
    def shown_s(self) -> float:
        """For how many seconds the sink has shown the present picture."""
        return max(0.0, time.monotonic() - self._first_shown_s)

    def measure(self, timings: Timings | None) -> None:
        """Set what receives each new frame."""
        self._timings = timings

    def start(self) -> None:
        """Start the thread, unless the sink belongs to the main thread."""
        if not self.sink.main_thread:
            self.thread.start()

    def send(self, frame: Frame, *, repeated: bool = False) -> None:
        """Send one frame to the sink now, in the calling thread. Raises SinkError."""
        started_s = time.monotonic()
        if not self._opened:
            self.sink.open(size_wh=frame.size_wh, fps=self._fps)
            self._opened = True
            started_s = time.monotonic()
        if self._newest is None or frame.bgr is not self._newest.bgr:
            self._first_shown_s = started_s
        self._newest = frame
        output = self.gated(frame, shown_s=started_s - self._first_shown_s)
        self.sink.send(output)
        self.output = output
        self._sent_s = now_s = time.monotonic()
        if not repeated:
            self.sent += 1
            if self._timings is not None:
                self._timings.stage("send", (now_s - started_s) * 1e3)
                self._timings.sent(captured_s=frame.captured_s, now_s=now_s)

    def gated(self, frame: Frame, *, shown_s: float = 0.0) -> Frame:
        """Return the frame, or what must be shown instead; `shown_s` is the time since this picture was first sent.

        The last step before the sink works while other stages hang: the panic card, a newly selected covering look, and
        the time limit of a repeated picture take effect within one frame interval.
        """
        kind = self._policy.output_fallback(frame, self._controls.read(), shown_s=shown_s, film=self._film)
        return frame if kind is None else fallback_frame(frame, kind)

    def poll(self, *, min_interval_s: float, timeout_s: float) -> None:
        """Serve a sink that belongs to the main thread: send what is due, and pump events.

        Args:
            min_interval_s: Between two frames; of those that come earlier, the newest is delayed.
            timeout_s: How long to wait for a new frame.
        """
        with contextlib.suppress(Closed):
            self._send_due(min_interval_s, timeout_s)
        if self._opened:
            self.sink.pump()

    def finish(self) -> None:
        """Accept no more frames; the sink is closed after the last one."""
        self.slot.close()
        if self.sink.main_thread:
            self.sink.close()

    def _loop(self) -> None:
        try:
            self._send_until_closed()
        except Closed:
            pass
        except Exception as error:  # device libraries raise any type
            self._fail(error)
        self.slot.close()  # nothing may wait for this sink any more
        try:
            self.sink.close()
        except Exception as error:
            self._fail(error)

    def _send_until_closed(self) -> None:
        """Send frames until the slot is closed, at a steady pace if the sink is live."""
        min_interval_s = _MIN_INTERVAL / self._fps if self._paced else 0.0
        while True:
            timeout_s = 0.5
            if self._paced and self._newest is not None:
                interval_s = self._repeat_after / self._fps if self._delayed is None else min_interval_s
                timeout_s = min(max(0.0, self._sent_s + interval_s - time.monotonic()), interval_s)
            self._send_due(min_interval_s, timeout_s)

    def _send_due(self, min_interval_s: float, timeout_s: float) -> None:
        """Wait for a frame; then send the newest if it is due, or repeat the last if none came for too long."""
        try:
            frame = self.slot.get(timeout_s=timeout_s)
        except Closed:
            if self._delayed is None:
                raise
            frame, min_interval_s = None, 0.0  # nothing newer will come
        if frame is not None:
            self.slot.dropped += self._delayed is not None
            self._delayed = frame
        if self._delayed is not None:
            if self._is_due(min_interval_s):
                frame, self._delayed, self._repeat_after = self._delayed, None, _REPEAT_AFTER
                self.send(frame)
        elif self._paced and self._newest is not None and self._is_due(self._repeat_after / self._fps):
            self._repeat_after = 1.0
            self.send(self._newest, repeated=True)

    def _is_due(self, interval_s: float) -> bool:
        """Whether the last frame was sent at least this long ago, or the clock was set back."""
        return not 0 <= time.monotonic() - self._sent_s < interval_s
