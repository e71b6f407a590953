"""Sends the state to all open pages: when it has changed, at most ten times a second, and the measurements once."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

INTERVAL_S = 0.1
_INTERVALS_S = {"looks": 0.5, "stats": 1.0}  # of the slower kinds
MAX_PAGES = 16

Messages = dict[str, str]  # the newest message of each kind, as JSON


class StateHub:
    """Reads the state once for all pages, and only while there are pages. All calls come from the event loop.

    Args:
        kinds: For each kind of message a function that returns it.
        first_page: Called when a page connects and there was none.
    """

    def __init__(self, kinds: dict[str, Callable[[], dict[str, Any]]], *, first_page: Callable[[], None]) -> None:
        self._kinds, self._first_page = kinds, first_page
        self._messages: Messages = {}
        self._pages = 0
        self._ticker: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()  # replaced at each change: a page that is late sees only the newest state
        self._hurry = asyncio.Event()

    def has_room(self) -> bool:
        """Whether another page may connect."""
        return self._pages < MAX_PAGES

    def changed(self) -> None:
        """Read the state now rather than at the next tick."""
        self._hurry.set()

    async def follow(self, send: Callable[[str], Awaitable[None]]) -> None:
        """Send every change to one page, until it is cancelled or `send` fails."""
        self._pages += 1
        if self._ticker is None:
            self._ticker = asyncio.ensure_future(self._tick())
            self._first_page()
        sent: Messages = {}
        try:
            while True:
                changed = self._changed
                for kind, text in tuple(self._messages.items()):
                    if sent.get(kind) != text:
                        sent[kind] = text
                        await send(text)
                await changed.wait()
        finally:
            self._pages -= 1
            if not self._pages and self._ticker is not None:
                self._ticker.cancel()
                self._ticker, self._messages = None, {}

    async def _tick(self) -> None:
        read_s: dict[str, float] = {}
        sent_s = float("-inf")
        hurry = True
        while asyncio.current_task() is self._ticker:  # before Python 3.12, `wait_for` may miss that it was cancelled
            now_s = time.monotonic()
            due = [
                kind
                for kind in self._kinds
                if now_s - read_s.get(kind, float("-inf")) >= _INTERVALS_S.get(kind, 0.0) or (hurry and kind == "looks")
            ]
            read_s |= dict.fromkeys(due, now_s)
            found = {kind: json.dumps(self._kinds[kind]()) for kind in due}
            if any(self._messages.get(kind) != text for kind, text in found.items()):
                self._messages.update(found)
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()
                sent_s = now_s
            hurry = await self._next_turn(max(now_s + INTERVAL_S / 2, sent_s + INTERVAL_S))

    async def _next_turn(self, earliest_s: float) -> bool:
        """Wait for a command, at most until the next tick, and in any case until a time; return whether one came."""
        with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), INTERVAL_S)
        await asyncio.sleep(max(0.0, earliest_s - time.monotonic()))
        hurry = self._hurry.is_set()
        self._hurry.clear()
        return hurry
