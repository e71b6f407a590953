"""Letting pictures through at their own times, the way a camera would."""

from __future__ import annotations

import threading
import time

LONGEST_WAIT_S = 1.0


class Pace:
    """Holds each picture until its time has come; a call of `closed.set()` ends the waiting at once.

    Args:
        closed: set when nobody wants pictures any more.
        catch_up: True keeps to the clock after a delay (a film: what is late comes at once), False starts the clock
            anew (a camera: it never sends a burst).
    """

    def __init__(self, closed: threading.Event, *, catch_up: bool) -> None:
        self._closed = closed
        self._catch_up = catch_up
        self._zero_s: float | None = None
        self._last_s = 0.0

    def hold(self, picture_s: float) -> bool:
        """Wait until the time `picture_s` (seconds from the first picture's zero).

        Returns:
            True when the picture may go; False once closed.

        Raises:
            TimeoutError: its time is still more than a second away; call again.
        """
        now_s = time.monotonic()
        if self._zero_s is None:
            self._zero_s = now_s - picture_s
        late_s = now_s - (self._zero_s + picture_s)
        if late_s > max(0.0, picture_s - self._last_s) and not self._catch_up:
            self._zero_s += late_s
        wait_s = self._zero_s + picture_s - now_s
        if wait_s > 0 and self._closed.wait(min(wait_s, LONGEST_WAIT_S)):
            return False
        if wait_s > LONGEST_WAIT_S:
            raise TimeoutError("the next picture is not due yet")
        self._last_s = picture_s
        return not self._closed.is_set()
