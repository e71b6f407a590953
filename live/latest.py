"""The hand-over between two threads: one place, the newest wins."""

from __future__ import annotations

import threading
import time
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
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: T) -> None:
        """Give an item.

        Raises:
            Closed: the slot was closed before there was room.
        """
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._closed or self._item is None)
            if self._closed:
                raise Closed
            if self._item is not None:
                self.dropped += 1
            self._item = item
            self._changed.notify_all()

    def wait_empty(self) -> None:
        """In the lossless way, wait until there is room, so that a picture is read when it is wanted, not before.

        Raises:
            Closed: the slot was closed meanwhile.
        """
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._closed or self._item is None)
            if self._closed:
                raise Closed

    def get(self, *, timeout_s: float) -> T | None:
        """Take the item; None when none came in time.

        Raises:
            Closed: closed, and the last item was taken.
        """
        until_s = time.monotonic() + timeout_s
        with self._changed:
            while self._item is None:
                if self._closed:
                    raise Closed
                left_s = until_s - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    if self._item is not None:
                        break
                    if self._closed:
                        raise Closed
                    return None
            item, self._item = self._item, None
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
