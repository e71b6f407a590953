"""Person segmentation with MediaPipe's selfie segmentation, whose models are part of the 0.10.21 wheel."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.shrink import shrunk
from live.pipeline.frame import ImageU8
from live.tracking.mesh_model import loading

# Input sizes of the landscape and the portrait model; passing larger pictures only costs time.
_INPUT_WH = {True: (256, 144), False: (256, 256)}


class PersonSegmenter:
    """Segments the people on consecutive frames. One call at a time, from any thread.

    Args:
        still: The frames are unrelated pictures: no temporal smoothing.
    """

    def __init__(self, *, still: bool = False) -> None:
        self._still = still
        self._models: dict[bool, Any] = {}  # by whether the frame is in landscape format
        self._last: NDArray[np.float32] | None = None

    def mask(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the probability of a person, for the whole frame.

        Args:
            frame_bgr: (H, W, 3) uint8, BGR.

        Returns:
            uint8, 0..255; (144, 256) for landscape frames, (256, 256) for others.

        Raises:
            TrackingError: MediaPipe is missing or cannot load its model.
        """
        height, width = frame_bgr.shape[:2]
        is_landscape = width > 1.2 * height
        if is_landscape not in self._models:
            self._models[is_landscape] = _open_model(is_landscape)
        small = shrunk(frame_bgr, _INPUT_WH[is_landscape])
        mask = self._models[is_landscape].process(cv2.cvtColor(small, cv2.COLOR_BGR2RGB)).segmentation_mask
        return np.asarray(np.clip(self._smoothed(mask) * 255, 0, 255), np.uint8)

    def _smoothed(self, mask: NDArray[np.float32]) -> NDArray[np.float32]:
        """Steady the outline: small changes are applied slowly, large ones at once."""
        if not self._still and self._last is not None and self._last.shape == mask.shape:
            change = mask - self._last
            mask = self._last + change * np.minimum(1.0, 0.25 + 2.5 * np.abs(change))
        self._last = np.array(mask, np.float32)
        return self._last

    def close(self) -> None:
        """Release the models; idempotent."""
        for model in self._models.values():
            model.close()
        self._models = {}

    def __enter__(self) -> PersonSegmenter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open_model(is_landscape: bool) -> Any:
    with loading("person segmentation"):
        from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

        model = SelfieSegmentation(model_selection=1 if is_landscape else 0)
        width, height = _INPUT_WH[is_landscape]
        model.process(np.zeros((height, width, 3), np.uint8))  # the first call is slow, and native code prints
        return model
