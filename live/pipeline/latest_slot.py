"""Hand-over between two threads: a slot for one item, or a few, in which the newest wins."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):  # noqa: N818 - a state, not an error
    """The slot was closed."""


class LatestSlot(Generic[T]):
    """Holds one item, or up to `capacity` items.

    Args:
        lossless: `put` waits until there is room. Otherwise a new item replaces the oldest, and the loss is counted: a
            slow consumer skips items.
        capacity: Number of items; more than 1 for a consumer that needs every item and is slow only now and then.

    Attributes:
        dropped: Number of items that were replaced or discarded.
    """

    def __init__(self, *, lossless: bool = False, capacity: int = 1) -> None:
        self._lossless, self._capacity = lossless, capacity
        self._items: deque[T] = deque()
        self._closed = False
        self._waiting_consumers = 0
        self._taken_s = 0.0  # when the last item was taken; 0 if `get` timed out since
        self._busy_s = 0.0  # usual time from one item to the consumer's next `get`
        self._changed = threading.Condition()
        self.dropped = 0

    def put(self, item: T, *, stopped: Callable[[], bool] = lambda: False) -> None:
        """Put an item into the slot. Raises Closed if it was closed, or the producer stopped, before it had room.

        Args:
            stopped: Called ten times a second while `put` waits; a true result ends the wait.
        """
        with self._changed:
            if self._lossless:
                while not self._changed.wait_for(lambda: self._closed or len(self._items) < self._capacity, 0.1):
                    if stopped():
                        raise Closed
            if self._closed:
                raise Closed
            if len(self._items) >= self._capacity:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()

    def wait_wanted(self, *, lead_s: float = 0.0) -> None:
        """Wait until the consumer needs an item, or will need it in about `lead_s`, the time it takes to produce.

        An item that is produced earlier would only become older in the slot, or be replaced. Without `lossless`, the
        wait is never longer than the consumer's usual time. Raises Closed if the slot was closed meanwhile.
        """
        with self._changed:
            if self._lossless:
                self._changed.wait_for(lambda: self._closed or not self._items)
            remaining_s = self._taken_s + self._busy_s - lead_s - time.monotonic()
            timeout_s = min(max(0.0, remaining_s), self._busy_s)  # also after the clock was set
            known = self._busy_s > 0.0 and self._taken_s > 0.0
            if known or self._lossless:
                limit_s = timeout_s if known else None
                self._changed.wait_for(lambda: self._closed or self._waiting_consumers > 0, limit_s)
            if self._closed:
                raise Closed

    def get(self, *, timeout_s: float) -> T | None:
        """Take the oldest item; None after the timeout. Raises Closed if the slot is closed and empty."""
        with self._changed:
            if self._taken_s:
                busy_s = min(max(0.0, time.monotonic() - self._taken_s), 1.0)
                self._busy_s += (0.1 if self._busy_s else 1.0) * (busy_s - self._busy_s)
            if not self._items and not self._closed:
                self._waiting_consumers += 1
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s)
                self._waiting_consumers -= 1
            if not self._items and self._closed:
                raise Closed
            item = self._items.popleft() if self._items else None
            self._taken_s = time.monotonic() if item is not None else 0.0
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Accept no more items and wake all waiting threads; the items in the slot can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def drain(self) -> None:
        """Discard the items in the slot, so that they do not delay a stop."""
        with self._changed:
            self.dropped += len(self._items)
            self._items.clear()
            self._changed.notify_all()
