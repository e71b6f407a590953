"""The one-euro filter: takes the tremble out of a still face and adds no lag to a moving one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# Outer eye corners, inner eye corners, mouth corners, nose tip, chin: a face's size and place without its outline.
_ANCHORS = np.array([33, 133, 362, 263, 61, 291, 1, 152])


def face_size(landmarks_xy: NDArray[np.float32]) -> float:
    """How large a face is, in pixels: the spread of eyes, mouth, nose and chin round their middle."""
    anchors = landmarks_xy[_ANCHORS]
    return float(np.sqrt(((anchors - anchors.mean(0)) ** 2).sum(1).mean())) + 1e-6


class OneEuro:
    """One-euro filter (Casiez, Roussel, Vogel, CHI 2012) on all landmarks of one face.

    Speeds are measured in face sizes per second, so that a small and a large face are smoothed alike. The speed that
    opens the filter is each landmark's own, but never less than the whole face's: a turning head is followed at
    once by all its points, and lips that move on a still face are too.

    Args:
        min_cutoff_hz: how much a still face is smoothed (less is smoother).
        beta_hz: by how much the cut-off rises with speed, per face size per second.
        speed_cutoff_hz: smoothing of the speed itself.
    """

    def __init__(self, *, min_cutoff_hz: float = 1.0, beta_hz: float = 30.0, speed_cutoff_hz: float = 2.0) -> None:
        self._min_cutoff_hz, self._beta_hz, self._speed_cutoff_hz = min_cutoff_hz, beta_hz, speed_cutoff_hz
        self._xy: NDArray[np.float32] | None = None
        self._speed_xy: NDArray[np.float32] | None = None
        self._at_s = 0.0

    def __call__(self, landmarks_xy: NDArray[np.float32], at_s: float) -> NDArray[np.float32]:
        """The smoothed (478, 2) landmarks at second `at_s`."""
        if self._xy is None or self._speed_xy is None:
            self._xy, self._speed_xy, self._at_s = landmarks_xy, np.zeros_like(landmarks_xy), at_s
            return landmarks_xy
        step_s = min(max(at_s - self._at_s, 1e-3), 0.5)
        self._at_s = at_s
        size = face_size(landmarks_xy)
        raw_speed_xy = (landmarks_xy - self._xy) / (step_s * size)
        self._speed_xy = self._speed_xy + _alpha(self._speed_cutoff_hz, step_s) * (raw_speed_xy - self._speed_xy)
        own = np.hypot(self._speed_xy[:, 0], self._speed_xy[:, 1])
        whole = float(np.hypot(*self._speed_xy.mean(0)))
        cutoff_hz = self._min_cutoff_hz + self._beta_hz * np.maximum(own, whole)
        keep = 1.0 / (1.0 + (1.0 / (2.0 * math.pi * cutoff_hz)) / step_s)
        self._xy = (self._xy + keep[:, None].astype(np.float32) * (landmarks_xy - self._xy)).astype(np.float32)
        return self._xy


def _alpha(cutoff_hz: float, step_s: float) -> float:
    return 1.0 / (1.0 + (1.0 / (2.0 * math.pi * cutoff_hz)) / step_s)
