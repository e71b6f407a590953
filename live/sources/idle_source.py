"""A camera source that releases the camera while there are no viewers."""

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
        new_source: Creates an equal source, not yet opened; called each time viewers return.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        new_source: Callable[[], FrameSource],
        viewers: ViewerPresence,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._new_source, self._viewers, self._say = source, new_source, viewers, say
        self.live = source.live
        self._open = False
        self._closed = threading.Event()
        self._next_id = 0
        self._reported: set[str] = set()

    def open(self) -> SourceInfo:
        """Open the camera."""
        info = self._source.open()
        self._open = True
        return info

    def read(self) -> Frame | None:
        """Return the next frame. Raises TimeoutError also without viewers, and while the camera does not open."""
        if not self._viewers.watched():
            self._release()
            if not self._closed.is_set() and not self._viewers.wait(_VIEWER_WAIT_S):
                raise TimeoutError("no viewers")
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

    def _release(self) -> None:
        if self._open:
            self._open = False
            self._source.close()
            self._say_once("no viewers: the camera is released until one connects (--no-idle keeps it open)")

    def _reopen(self) -> None:
        self._source = self._new_source()
        if self._closed.is_set():  # `close` ran before it could see the new source
            self._source.close()
        try:
            self._source.open()
        except VeneerError as error:
            self._source.close()
            self._say_once(f"{error}; trying again")
            self._closed.wait(_RETRY_INTERVAL_S)
            raise TimeoutError(str(error)) from None
        self._open = True

    def _say_once(self, line: str) -> None:
        if line not in self._reported:
            self._reported.add(line)
            self._say(line)
