"""Landmark drift: displacement of facial landmarks between the input and the output of a style."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import Floats, Frame, ImageU8
from live.tracking.face_mesh import FaceMeshTracker

_MESH_SIDE_PX = 512  # longer side of the images given to the face mesh, for every style size
_NOISE_SIGMA = 2.0  # levels of 255
_MAX_EYE_SHIFT = 1.0  # eye distances; beyond it the detection is another face


@dataclass(frozen=True, slots=True)
class Drift:
    """Drift of one face in percent of the distance between the eye centres: mean over all landmarks, and by part.

    `noise_percent` is the same between the input and the input with noise of 2 levels: the error of the face mesh.
    """

    percent: float
    parts_percent: dict[str, float]
    noise_percent: float


class DriftMeter:
    """Runs the face mesh on images before and after a style, with a longer side of 512 pixels; must be closed.

    Raises TrackingError if the face model cannot be loaded.
    """

    def __init__(self) -> None:
        self._tracker = FaceMeshTracker(max_faces=1, still=True)
        self._tracker.open()
        self._parts = _landmark_indices()

    def measure(self, before_rgb: ImageU8, after_rgb: ImageU8) -> Drift | str:
        """Measure the drift between (H, W, 3) RGB uint8 images, or name the one without a face: "input" or "output"."""
        before_xy = self._landmarks(before_rgb)
        if before_xy is None:
            return "input"
        eyes_xy = self._eye_centres(before_xy)
        eye_distance = float(np.hypot(*(eyes_xy[1] - eyes_xy[0]))) + 1e-6
        after_xy = self._landmarks(after_rgb)
        if after_xy is None:
            return "output"
        if np.hypot(*(self._eye_centres(after_xy) - eyes_xy).mean(0)) > _MAX_EYE_SHIFT * eye_distance:
            return "output"

        def percent(landmarks_xy: Floats, part: NDArray[np.int64]) -> float:
            distances = np.hypot(*(landmarks_xy[part] - before_xy[part]).T)
            return 100.0 * float(distances.mean()) / eye_distance

        noise = np.random.default_rng(0).normal(0, _NOISE_SIGMA, before_rgb.shape)
        noisy_xy = self._landmarks(np.clip(np.rint(before_rgb + noise), 0, 255).astype(np.uint8))
        every = np.concatenate(list(self._parts.values()))
        noise_percent = float("nan") if noisy_xy is None else percent(noisy_xy, every)
        parts_percent = {name: percent(after_xy, part) for name, part in self._parts.items()}
        return Drift(percent(after_xy, every), parts_percent, noise_percent)

    def close(self) -> None:
        """Release the face model; idempotent."""
        self._tracker.close()

    def _landmarks(self, picture_rgb: ImageU8) -> Floats | None:
        scale = _MESH_SIDE_PX / max(picture_rgb.shape[:2])
        picture_bgr = cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2BGR)
        resized = cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        faces = self._tracker.track(Frame(np.asarray(resized, np.uint8), 0, 0.0))
        return faces[0].landmarks_xy if faces else None

    def _eye_centres(self, landmarks_xy: Floats) -> Floats:
        """Return the means of the eyelid landmarks, (2, 2)."""
        return np.stack([landmarks_xy[self._parts[name]].mean(0) for name in ("right eye", "left eye")])


def _landmark_indices() -> dict[str, NDArray[np.int64]]:
    """Return landmark indices by part of the face, as defined by MediaPipe."""
    from mediapipe.python.solutions import face_mesh_connections as mesh

    edges_by_part = {
        "right eye": mesh.FACEMESH_RIGHT_EYE,
        "left eye": mesh.FACEMESH_LEFT_EYE,
        "brows": mesh.FACEMESH_RIGHT_EYEBROW | mesh.FACEMESH_LEFT_EYEBROW,
        "lips": mesh.FACEMESH_LIPS,
        "nose": mesh.FACEMESH_NOSE,
        "oval": mesh.FACEMESH_FACE_OVAL,
    }
    return {
        name: np.array(sorted({point for edge in edges for point in edge})) for name, edges in edges_by_part.items()
    }
