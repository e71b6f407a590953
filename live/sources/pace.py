"""Real-time pacing of frames that are available before they are due."""

from __future__ import annotations

import threading
import time

MAX_WAIT_S = 1.0


class Pace:
    """Delays each frame until it is due; setting `closed` ends a wait at once.

    Args:
        closed: Set when no more frames are needed.
        catch_up: After a delay, True keeps the original schedule (a film: late frames are returned at once) and
            False restarts the schedule (a camera: no bursts).
    """

    def __init__(self, closed: threading.Event, *, catch_up: bool) -> None:
        self._closed = closed
        self._catch_up = catch_up
        self._start_s: float | None = None
        self._last_s = 0.0

    def wait_until(self, due_s: float) -> bool:
        """Wait until `due_s` seconds after the start of the schedule.

        Returns:
            True if the frame is due; False if `closed` is set.

        Raises:
            TimeoutError: The frame is due in more than one second. Call again.
        """
        now_s = time.monotonic()
        if self._start_s is None:
            self._start_s = now_s - due_s
        late_s = now_s - (self._start_s + due_s)
        if late_s > max(0.0, due_s - self._last_s) and not self._catch_up:
            self._start_s += late_s
        wait_s = self._start_s + due_s - now_s
        if wait_s > 0 and self._closed.wait(min(wait_s, MAX_WAIT_S)):
            return False
        if wait_s > MAX_WAIT_S:
            raise TimeoutError("the next frame is not due yet")
        self._last_s = due_s
        return not self._closed.is_set()
