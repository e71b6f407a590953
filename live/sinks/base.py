"""What every taker of finished frames promises."""

from __future__ import annotations

from typing import Protocol

from live.pipeline.frame import Frame


class FrameSink(Protocol):
    """A virtual camera, a window, a video file, or nothing.

    Each sink has a thread of its own that makes all calls (the process's main thread where `main_thread` is True).

    Attributes:
        name: as the user wrote it ("virtual-camera", "file:out.mp4").
        live: True where the newest frame counts and the last one is repeated when none comes; False where every
            frame counts (a file).
        main_thread: True where the windowing system wants its calls from the main thread.
    """

    name: str
    live: bool
    main_thread: bool

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Get ready; called once, with the size of the first real frame.

        Raises:
            SinkError: asked, got, what to do.
        """
        ...

    def send(self, frame: Frame) -> None:
        """Take one frame and return when it is handed on. A frame of another size is fitted in.

        Raises:
            SinkError: the frame could not be handed on, and no later one will.
        """
        ...

    def close(self) -> None:
        """Finish (a file is made whole) and let go; idempotent, also after a failed `open`.

        Raises:
            SinkError: the finishing failed.
        """
        ...
