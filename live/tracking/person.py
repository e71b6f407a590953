"""Which pixels show a person: MediaPipe's selfie segmentation, whose model comes with its 0.10.21 wheel."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import cv2
import numpy as np

from engines.errors import TrackingError
from live.frame import ImageU8
from live.tracking.quiet import quiet_stderr

_INSIDE_WH = {True: (256, 144), False: (256, 256)}  # what the two models see anyway: handing them more only costs


class PersonSegmenter:
    """Finds the people on one frame after the other; all calls come from one thread."""

    def __init__(self) -> None:
        self._models: dict[bool, Any] = {}  # by whether the picture lies

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
        return np.asarray(np.clip(found * 255, 0, 255), np.uint8)

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

            return SelfieSegmentation(model_selection=1 if lying else 0)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise TrackingError("person segmentation", why, "reinstall mediapipe==0.10.21") from error
