"""The interface of face trackers."""

from __future__ import annotations

from typing import Protocol

from live.pipeline.frame import Face, Frame

LANDMARKS = 478


class FaceTracker(Protocol):
    """Tracks faces over consecutive frames. All calls must come from one thread."""

    def open(self) -> None:
        """Load the model.

        Raises:
            TrackingError: The model is missing or cannot be loaded.
        """
        ...

    def track(self, frame: Frame) -> tuple[Face, ...]:
        """Return the faces on this frame; each has an id that is constant while the face is tracked."""
        ...

    def close(self) -> None:
        """Release the model; idempotent."""
        ...
