"""A source that lets go of its camera while nobody watches, and takes it again when somebody does."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from engines.errors import VeneerError
from live.pipeline.frame import Frame
from live.pipeline.viewer_presence import ViewerPresence
from live.sources.base import FrameSource, SourceInfo

_WAIT_S = 0.5  # a read while nobody watches takes so long
_AGAIN_S = 0.5  # a camera that does not open when it is wanted again is tried again after this


class IdleSource(FrameSource):
    """Frames of a source while somebody watches.

    Opening opens the camera once, whether somebody watches or not: its size is wanted, and what is wrong with it is
    better said at the start than in the middle of a call. Frames are numbered on without gaps over all openings.

    Args:
        source: not yet opened.
        again: makes another one like it, also not opened; called after each rest.
        audience: who watches.
        say: takes one line for the person at the terminal.
    """

    def __init__(
        self,
        source: FrameSource,
        *,
        again: Callable[[], FrameSource],
        viewers: ViewerPresence,
        say: Callable[[str], None],
    ) -> None:
        self._source, self._again, self._viewers, self._say = source, again, viewers, say
        self.live = source.live
        self._open = False
        self._closed = threading.Event()
        self._next_id = 0
        self._said: set[str] = set()

    def open(self) -> SourceInfo:
        """Open the camera.

        Raises:
            SourceError: as the source says.
        """
        info = self._source.open()
        self._open = True
        return info

    def read(self) -> Frame | None:
        """The next frame.

        Raises:
            TimeoutError: nobody watches, or the camera does not come (back) just now.
            SourceError: as the source says, while it is open.
        """
        if not self._viewers.watched():
            self._rest()
            if not self._closed.is_set() and not self._viewers.wait(_WAIT_S):
                raise TimeoutError("nobody watches")
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
        """Let go for good; from any thread."""
        self._closed.set()
        self._source.close()

    def _rest(self) -> None:
        if self._open:
            self._open = False
            self._source.close()
            self._say_once("nobody watches, so the camera is released until somebody does (--no-idle keeps it)")

    def _reopen(self) -> None:
        self._source = self._again()
        if self._closed.is_set():  # `close` came before it could see the new one
            self._source.close()
        try:
            self._source.open()
        except VeneerError as error:
            self._source.close()
            self._say_once(f"{error}; trying again")
            self._closed.wait(_AGAIN_S)
            raise TimeoutError(str(error)) from None
        self._open = True

    def _say_once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            self._say(line)
