"""What every source of frames promises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from live.pipeline.frame import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a source says of itself once it is open.

    Attributes:
        name: for messages and the meter ("camera 0", "clip.mp4", "demo").
        size_wh: of the frames as they really come.
        fps: frames per second: asked, nominal or measured; 0.0 where unknown (a still picture).
        frame_count: how many frames will come, where that is known.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float
    frame_count: int | None = None


class FrameSource(Protocol):
    """A camera, a video file, a still picture, the demo.

    All calls come from one thread but `close`, which may come from any, more than once, and also after a failed
    `open`. `live` says whether frames are lost when nobody takes them (a camera) or wait (a file).
    """

    live: bool

    def open(self) -> SourceInfo:
        """Take hold of the device or file.

        Raises:
            SourceError: asked, got, what to do.
        """
        ...

    def read(self) -> Frame | None:
        """The next frame; None at the end, or once closed. Blocks at most about one second.

        Raises:
            SourceError: nothing more will come, and it is not the regular end.
            TimeoutError: nothing came just now (an unplugged camera that is being waited for); ask again.
        """
        ...

    def close(self) -> None:
        """Let go; makes a blocked `read` return soon. Never raises."""
        ...
