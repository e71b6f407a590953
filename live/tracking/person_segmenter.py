"""Which pixels show a person: MediaPipe's selfie segmentation, whose model comes with its 0.10.21 wheel."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.errors import TrackingError
from live.pipeline.frame import ImageU8
from live.tracking.quiet_stderr import quiet_stderr

_INSIDE_WH = {True: (256, 144), False: (256, 256)}  # what the two models see anyway: handing them more only costs


class PersonSegmenter:
    """Finds the people on one frame after the other; all calls come from one thread.

    Args:
        still: the frames have nothing to do with each other: nothing is carried over.
    """

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._models: dict[bool, Any] = {}  # by whether the picture lies
        self._before: NDArray[np.float32] | None = None

    def mask(self, frame_bgr: ImageU8) -> ImageU8:
        """How surely each pixel shows a person, (144, 256) uint8 for the whole frame; (256, 256) where it is upright.

        Args:
            frame_bgr: (H, W, 3) uint8.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its model.
        """
        height, width = frame_bgr.shape[:2]
        lying = width > 1.2 * height
        if lying not in self._models:
            self._models[lying] = _open(lying)
        small = cv2.resize(frame_bgr, _INSIDE_WH[lying], interpolation=cv2.INTER_AREA)
        found = self._models[lying].process(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)).segmentation_mask
        return np.asarray(np.clip(self._steadied(found) * 255, 0, 255), np.uint8)

    def _steadied(self, found: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outline at rest: what changes little follows slowly, what changes much follows at once."""
        if not self._still and self._before is not None and self._before.shape == found.shape:
            change = found - self._before
            found = self._before + change * np.minimum(1.0, 0.25 + 2.5 * np.abs(change))
        self._before = np.array(found, np.float32)
        return self._before

    def close(self) -> None:
        """Let go of the models; idempotent."""
        for model in self._models.values():
            model.close()
        self._models = {}

    def __enter__(self) -> PersonSegmenter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(lying: bool) -> Any:
    try:
        with quiet_stderr():
            from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

            model = SelfieSegmentation(model_selection=1 if lying else 0)
            width, height = _INSIDE_WH[lying]
            model.process(np.zeros((height, width, 3), np.uint8))  # the first call is the slow and talkative one
            return model
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise TrackingError("person segmentation", why, "reinstall mediapipe==0.10.21") from error
