"""Hands the pictures of the preview feed to the pages that ask for them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable, Iterator

from live.panel.preview_feed import Picture, PreviewFeed

MAX_VIEWERS = 4


class PreviewViewer:
    """One page: the number of the picture that it got last, and whether it shows the split line."""

    def __init__(self) -> None:
        self.number = 0
        self.split = False


class PreviewHub:
    """All calls come from the event loop, except `publish`.

    Args:
        report_page: Called with whether any page shows the preview.
    """

    def __init__(self, report_page: Callable[[bool], None]) -> None:
        self._report_page = report_page
        self._feed: PreviewFeed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._viewers: list[PreviewViewer] = []
        self._newest: Picture | None = None
        self._changed = asyncio.Event()

    def connect(self, feed: PreviewFeed, loop: asyncio.AbstractEventLoop) -> None:
        """Set the feed and the loop, before the first page."""
        self._feed, self._loop = feed, loop

    def publish(self, picture: Picture) -> None:
        """Receive a picture from the encoder thread."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._set, picture)

    def _set(self, picture: Picture) -> None:
        self._newest = picture
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def has_room(self) -> bool:
        """Whether another page may ask for pictures."""
        return len(self._viewers) < MAX_VIEWERS

    @contextlib.contextmanager
    def joined(self) -> Iterator[PreviewViewer]:
        """Count a page while it shows the preview."""
        viewer = PreviewViewer()
        self._viewers.append(viewer)
        self._set_active()
        try:
            yield viewer
        finally:
            self._viewers.remove(viewer)
            self._set_active()

    def _set_active(self) -> None:
        if len(self._viewers) > 1:
            return
        assert self._feed is not None
        self._newest = None
        self._feed.set_active(bool(self._viewers))
        self._report_page(bool(self._viewers))

    async def next(self, viewer: PreviewViewer, *, split: bool) -> bytes:
        """Return the next picture that the page has not seen, as one message; see docs/panel.md."""
        assert self._feed is not None
        viewer.split = split
        while True:
            changed, picture = self._changed, self._newest
            if picture is not None and picture.number > viewer.number:
                viewer.number = picture.number
                return packed(picture)
            self._feed.want(split=any(one.split for one in self._viewers))
            await changed.wait()


def packed(picture: Picture) -> bytes:
    """Return a picture as a message: the length of a JSON header in 2 bytes, the header, and the JPEGs."""
    sizes = [len(picture.after), len(picture.before)]
    header = {"v": 1, "look": picture.look, "sizes": sizes, "blurred": picture.blurred}
    text = json.dumps(header).encode()
    return struct.pack(">H", len(text)) + text + picture.after + picture.before
