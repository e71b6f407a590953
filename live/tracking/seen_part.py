"""A part of the map of persons, with the time when it was seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2

from live.pipeline.frame import ImageU8

_FADE_S = 2.4  # a person that is not seen again fades with this time constant; all views take little over a second


@dataclass(frozen=True, slots=True)
class SeenPart:
    """What a view or a tracked face has shown: (h, w) uint8 in the map, and when."""

    shown: ImageU8
    at_s: float

    def faded(self, at_s: float) -> SeenPart:
        """Return it as it counts later, if it was not seen again."""
        kept = math.exp(-min(abs(at_s - self.at_s), 60.0) / _FADE_S)
        return SeenPart(cv2.convertScaleAbs(self.shown, alpha=kept), at_s)  # type: ignore[arg-type]
