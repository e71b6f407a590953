"""Whether a frame shows something else than the one before it."""

from __future__ import annotations

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

_CUT = 30.0  # mean change of a sample of pixels, in levels
_SAMPLE_WH = (32, 18)


class SceneCut:
    """Compares consecutive frames of one film."""

    def __init__(self) -> None:
        self._sample: ImageU8 = np.zeros((0, 0, 3), np.uint8)
        self._shape: tuple[int, ...] = ()

    def seen(self, frame_bgr: ImageU8) -> bool:
        """Whether a frame (H, W, 3) uint8 is the first one, has another size, or follows a cut."""
        last, self._sample = self._sample, cv2.resize(frame_bgr, _SAMPLE_WH, interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
        shape, self._shape = self._shape, frame_bgr.shape
        return shape != frame_bgr.shape or cv2.norm(last, self._sample, cv2.NORM_L1) > _CUT * last.size
