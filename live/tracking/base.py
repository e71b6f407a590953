"""What every face tracker promises."""

from __future__ import annotations

from typing import Protocol

from live.pipeline.frame import Face, Frame

LANDMARKS = 478


class FaceTracker(Protocol):
    """Finds faces on one frame after the other. All calls come from one thread."""

    def open(self) -> None:
        """Load the model.

        Raises:
            TrackingError: asked, got, what to do.
        """
        ...

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """The faces on this very frame, each with an id that stays while the face stays."""
        ...

    def close(self) -> None:
        """Let go of the model; idempotent."""
        ...
