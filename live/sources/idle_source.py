"""A camera source that releases the camera while there are no viewers, and that changes the camera on request."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from engines.errors import VeneerError
from live.pipeline.frame import Frame
from live.pipeline.viewer_presence import ViewerPresence
from live.sources.base import FrameSource, SourceInfo

_VIEWER_WAIT_S = 0.5
_RETRY_INTERVAL_S = 0.5


class IdleSource(FrameSource):
    """Returns frames of another source while there are viewers.

    `open` opens the camera even without viewers, because the pipeline needs its size and because camera errors are
    best reported at the start. Frame ids continue without gaps when the camera is reopened.

    Args:
        source: The source, not yet opened.
        new_source: Creates the source that is selected then, not yet opened; called after `renew` and each time viewers
            return. Raises VeneerError.
        viewers: None if the output always counts as watched.
        assumed: Returned by `open` if the camera does not open, which is then tried again until it does; None raises.

    Attributes:
        info: Of the source that was opened last.
        problem: Why the camera does not open; None while it works.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        new_source: Callable[[], FrameSource],
        viewers: ViewerPresence | None,
        say: Callable[[str], None],
        assumed: SourceInfo | None = None,
    ) -> None:
        self._source, self._new_source, self._viewers, self._say = source, new_source, viewers, say
        self.live = source.live
        self.info: SourceInfo | None = None
        self.problem: VeneerError | None = None
        self._assumed = assumed
        self._open = False
        self._closed, self._renewed = threading.Event(), threading.Event()
        self._next_id = 0
        self._reported: set[str] = set()

    def open(self) -> SourceInfo:
        """Open the camera."""
        try:
            self.info = self._source.open()
        except VeneerError as error:
            if self._assumed is None:
                raise
            self._fail(error)
            return self._assumed
        self._open = True
        return self.info

    def renew(self) -> None:
        """Replace the source by a new one before the next frame; may be called from any thread."""
        self._reported.clear()
        self._renewed.set()

    def read(self) -> Frame | None:
        """Return the next frame. Raises TimeoutError also without viewers, and while the camera does not open."""
        if self._viewers is not None and not self._viewers.watched():
            if self._release():
                self._say_once("no viewers: the camera is released until one connects (--no-idle keeps it open)")
            if not self._closed.is_set() and not self._viewers.wait(_VIEWER_WAIT_S):
                raise TimeoutError("no viewers")
        if self._renewed.is_set():
            self._renewed.clear()
            self._release()
        if self._closed.is_set():
            return None
        if not self._open:
            self._reopen()
        frame = self._source.read()
        if frame is None:
            return None
        self._next_id += 1
        return replace(frame, frame_id=self._next_id - 1)

    def close(self) -> None:
        """Close the source for good; may be called from any thread."""
        self._closed.set()
        self._source.close()

    def _release(self) -> bool:
        was_open, self._open = self._open, False
        if was_open:
            self._source.close()
        return was_open

    def _reopen(self) -> None:
        try:
            self._source = self._new_source()
            if self._closed.is_set():  # `close` ran before it could see the new source
                self._source.close()
            self.info = self._source.open()
        except VeneerError as error:
            self._fail(error)
            self._closed.wait(_RETRY_INTERVAL_S)
            raise TimeoutError(str(error)) from None
        self._open, self.problem = True, None

    def _fail(self, error: VeneerError) -> None:
        self._source.close()
        self.problem = error
        self._say_once(f"{error}; trying again")

    def _say_once(self, line: str) -> None:
        if line not in self._reported:
            self._reported.add(line)
            self._say(line)
