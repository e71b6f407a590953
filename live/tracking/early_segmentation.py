"""A segmentation of the whole frame that may begin in a thread of its own, while the faces are found."""

from __future__ import annotations

import contextlib
from concurrent.futures import Future, ThreadPoolExecutor

from live.pipeline.frame import ImageU8
from live.tracking.person_segmenter import PersonSegmenter


class EarlySegmentation:
    """Segments consecutive frames; see `PersonSegmenter`. The model runs once at a time.

    Args:
        still: The frames are unrelated pictures: no temporal smoothing.
    """

    def __init__(self, *, still: bool) -> None:
        self._segmenter = PersonSegmenter(still=still)
        self._thread: ThreadPoolExecutor | None = None
        self._begun: tuple[ImageU8, Future[ImageU8]] | None = None

    def begin(self, frame_bgr: ImageU8) -> None:
        """Begin with a frame, (H, W, 3) uint8, which must not be changed until `mask` has returned."""
        self._thread = self._thread or ThreadPoolExecutor(1, "segmentation")
        with contextlib.suppress(RuntimeError):  # no thread is available: it is segmented when it is needed
            self._begun = frame_bgr, self._thread.submit(self._segmenter.mask, frame_bgr)

    def mask(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the segmentation of a frame, which may have begun. Raises what the segmentation raised."""
        begun, self._begun = self._begun, None
        if begun is None:
            return self._segmenter.mask(frame_bgr)
        begun_bgr, future = begun
        shown = future.result()
        return shown if begun_bgr is frame_bgr else self._segmenter.mask(frame_bgr)

    def close(self) -> None:
        """Release the model; idempotent."""
        self._begun = None
        if self._thread is not None:
            self._thread.shutdown()
            self._thread = None
        self._segmenter.close()
