"""The interface of a frame sink."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from live.pipeline.frame import Frame

if TYPE_CHECKING:
    from live.pipeline.viewer_presence import ViewerPresence


class FrameSink(Protocol):
    """A virtual camera, a window, a video file, or nothing. Subclass it: optional methods have a default.

    All calls to a sink come from one thread: the sink's own, or the main thread if `main_thread` is True.

    Attributes:
        name: As written by the user ("virtual-camera", "file:out.mp4").
        live: True if only the newest frame counts and the last one is repeated at a steady pace; False if every frame
            counts (a file).
        main_thread: True if the windowing system requires its calls to come from the main thread.
        warning: Shown to the user after the run; None if there is none.
    """

    name: str
    live: bool
    main_thread: bool = False
    warning: str | None = None

    def set_viewers(self, viewers: ViewerPresence | None, say: Callable[[str], None]) -> None:
        """Receive the object to which the sink reports its readers, and the function for one-line messages.

        Called once, before `open`. A sink that cannot count its readers ignores it.
        """
        return

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Open the sink; called once, with the size of the first frame.

        Raises:
            SinkError: The sink cannot be opened.
        """
        ...

    def send(self, frame: Frame) -> None:
        """Output one frame and return when done. A frame of another size is scaled to fit.

        Raises:
            SinkError: The frame was not output, and later ones will not be either.
        """
        ...

    def pump(self) -> None:
        """Process window events; called regularly on sinks with `main_thread`."""
        return

    def close(self) -> None:
        """Complete the output and release the device; idempotent, also after a failed `open`.

        Raises:
            SinkError: The output could not be completed.
        """
        ...
