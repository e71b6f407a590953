"""The hand-over between two threads: one place, the newest wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - it is a state, not a mistake
    """The slot was closed: nothing more will be taken or given."""


class LatestSlot(Generic[T]):
    """Holds at most one item.

    In the ordinary way (`lossless=False`) a new item replaces one that nobody took, and the loss is counted: a slow
    stage skips, it never queues. With `lossless=True` the giver waits instead, so that a file loses nothing.
    """

    def __init__(self, *, lossless: bool = False) -> None:
        self._lossless = lossless
        self._item: T | None = None
        self._closed = False
        self._takers = 0  # threads that wait for an item just now
        self._taken_s = 0.0  # when the last item was taken
        self._busy_s = 0.0  # how long a taker usually works on an item before it comes back
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: T, *, stopped: Callable[[], bool] = lambda: False) -> None:
        """Give an item.

        Args:
            item: what to give.
            stopped: asked ten times a second while there is no room; True gives up.

        Raises:
            Closed: the slot was closed, or the giver was stopped, before there was room.
        """
        with self._changed:
            if self._lossless:
                while not self._changed.wait_for(lambda: self._closed or self._item is None, 0.1):
                    if stopped():
                        raise Closed
            if self._closed:
                raise Closed
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._changed.notify_all()

    def wait_wanted(self, *, lead_s: float = 0.0) -> None:
        """Wait until an item is wanted, or will be in about `lead_s`, the time it takes to make.

        One made earlier would only grow old in the slot, or be replaced, while the one before it is worked on. In the
        ordinary way nobody waits here longer than the taker usually works.

        Raises:
            Closed: the slot was closed meanwhile.
        """
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._closed or self._item is None)
            soon_s = self._taken_s + self._busy_s - lead_s - time.monotonic()
            wait_s = min(max(0.0, soon_s), self._busy_s)  # also after a clock that jumped
            known = self._busy_s > 0.0 and self._taken_s > 0.0
            if known or self._lossless:
                self._changed.wait_for(lambda: self._closed or self._takers > 0, wait_s if known else None)
            if self._closed:
                raise Closed

    def get(self, *, timeout_s: float) -> T | None:
        """Take the item; None when none came in time.

        Raises:
            Closed: closed, and the last item was taken.
        """
        with self._changed:
            if self._taken_s:
                busy_s = min(max(0.0, time.monotonic() - self._taken_s), 1.0)
                self._busy_s += (0.1 if self._busy_s else 1.0) * (busy_s - self._busy_s)
            if self._item is None and not self._closed:
                self._takers += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
                self._takers -= 1
            if self._item is None and self._closed:
                raise Closed
            item, self._item = self._item, None
            self._taken_s = time.monotonic() if item is not None else 0.0
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """No more items; one that lies there may still be taken. Wakes everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self) -> None:
        """Throw away what lies there, so that a stop is not held up by it."""
        with self._changed:
            self._item = None
            self._changed.notify_all()
