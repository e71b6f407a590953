"""The one-euro filter: removes jitter from a still face without adding latency to a moving one."""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Outer eye corners, inner eye corners, mouth corners, nose tip, chin: size and position without the outline.
_ANCHORS = np.array([33, 133, 362, 263, 61, 291, 1, 152])
_MIN_CUTOFF_HZ = 1.0  # for a still face; lower is smoother
_BETA_HZ = 30.0  # increase of the cutoff per face size per second
_SPEED_CUTOFF_HZ = 2.0  # of the low-pass filter of the speed
_Cutoff = TypeVar("_Cutoff", float, NDArray[np.float32])


def face_size(landmarks_xy: NDArray[np.float32]) -> float:
    """Return the RMS distance of eyes, mouth, nose and chin from their centre.

    Args:
        landmarks_xy: (478, 2) float32, pixels.

    Returns:
        The size in pixels.
    """
    anchors = landmarks_xy[_ANCHORS]
    return float(np.sqrt(((anchors - anchors.mean(0)) ** 2).sum(1).mean())) + 1e-6


class OneEuro:
    """One-euro filter (Casiez, Roussel, Vogel, CHI 2012) for the landmarks of one face.

    Speeds are measured in face sizes per second, so that small and large faces are smoothed equally. The cutoff of
    each landmark depends on the larger of its own speed and the speed of the whole face: a turning head is followed
    by all landmarks at once, and so are moving lips on a still face.
    """

    def __init__(self) -> None:
        self._xy: NDArray[np.float32] | None = None
        self._speed_xy: NDArray[np.float32] | None = None
        self._at_s = 0.0

    def __call__(self, landmarks_xy: NDArray[np.float32], at_s: float) -> NDArray[np.float32]:
        """Return the smoothed landmarks.

        Args:
            landmarks_xy: (478, 2) float32, pixels.
            at_s: Time in seconds.

        Returns:
            (478, 2) float32, pixels.
        """
        if self._xy is None or self._speed_xy is None:
            self._xy, self._speed_xy, self._at_s = landmarks_xy, np.zeros_like(landmarks_xy), at_s
            return landmarks_xy
        step_s = min(max(at_s - self._at_s, 1e-3), 0.5)
        self._at_s = at_s
        size = face_size(landmarks_xy)
        raw_speed_xy = (landmarks_xy - self._xy) / (step_s * size)
        self._speed_xy = self._speed_xy + _alpha(_SPEED_CUTOFF_HZ, step_s) * (raw_speed_xy - self._speed_xy)
        landmark_speed = np.hypot(self._speed_xy[:, 0], self._speed_xy[:, 1])
        face_speed = float(np.hypot(*self._speed_xy.mean(0)))
        cutoff_hz = _MIN_CUTOFF_HZ + _BETA_HZ * np.maximum(landmark_speed, face_speed)
        alpha = _alpha(cutoff_hz, step_s)[:, None].astype(np.float32)
        self._xy = (self._xy + alpha * (landmarks_xy - self._xy)).astype(np.float32)
        return self._xy


def _alpha(cutoff_hz: _Cutoff, step_s: float) -> _Cutoff:
    """Return the smoothing factor of a first-order low-pass filter (section 3 of the paper)."""
    return 1.0 / (1.0 + (1.0 / (2.0 * math.pi * cutoff_hz)) / step_s)
