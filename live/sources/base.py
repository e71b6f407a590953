"""The interface of a frame source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from live.pipeline.frame import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Properties of an open source.

    Attributes:
        name: for messages and the preview's meter ("camera 0", "clip.mp4", "demo").
        size_wh: actual frame size in pixels.
        fps: frames per second as requested, declared or measured; 0.0 if unknown (a still picture).
        frame_count: number of frames; None if unknown.
    """

    name: str
    size_wh: tuple[int, int]
    fps: float
    frame_count: int | None = None


class FrameSource(Protocol):
    """A camera, a video file, a still picture or the demo. Subclass it: `warning` has a default.

    All calls come from one thread except `close`, which may come from any thread.

    Attributes:
        live: True if frames that are not read in time are lost (a camera); False if they wait (a file).
        warning: shown to the user after the run; None if there is none.
        notes: what was converted, shown to the user after the run.
    """

    live: bool
    warning: str | None = None
    notes: Sequence[str] = ()

    def open(self) -> SourceInfo:
        """Open the device or file.

        Raises:
            SourceError: It cannot be opened.
        """
        ...

    def read(self) -> Frame | None:
        """Return the next frame; None at the end or after `close`. Blocks for about one second at most.

        Raises:
            SourceError: The source failed; no more frames will come.
            TimeoutError: No frame is available now, for example while an unplugged camera is awaited; call again.
        """
        ...

    def close(self) -> None:
        """Release the device; a blocked `read` returns soon. Idempotent, also after a failed `open`; never raises."""
        ...
