"""Landmark drift: how far a drawn face's features lie from where they were."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import Floats, Frame, ImageU8
from live.tracking.face_mesh import FaceMeshTracker

_SEEN_SIDE_PX = 512  # what the face mesh is shown, whatever the style's size
_NOISE_LEVELS = 2.0  # of 255
_ANOTHER_FACE = 1.0  # eyes this many eye distances away are somebody else's


@dataclass(frozen=True, slots=True)
class Drift:
    """Drift of one face, in percent of the distance between its eyes' centres.

    Attributes:
        percent: mean over the landmarks of eyes, brows, lips, nose and oval.
        parts_percent: the mean over the landmarks of each of them.
        noise_percent: the same between the input and the input with a little noise: what the face mesh itself errs.
    """

    percent: float
    parts_percent: dict[str, float]
    noise_percent: float


class DriftMeter:
    """Runs the face mesh on pictures before and after; to be closed.

    Both are brought from the same size to a longer side of 512 pixels (bicubic): the mesh sees them equally well.

    Raises:
        TrackingError: no face model.
    """

    def __init__(self) -> None:
        self._tracker = FaceMeshTracker(max_faces=1, still=True)
        self._tracker.open()
        self._parts = _parts()

    def measure(self, before_rgb: ImageU8, after_rgb: ImageU8) -> Drift | str:
        """The drift between two (H, W, 3) pictures of one size; "input" or "output", where that shows no face."""
        before_xy = self._landmarks(before_rgb)
        if before_xy is None:
            return "input"
        eyes_xy = self._eyes(before_xy)
        eye_distance = float(np.hypot(*(eyes_xy[1] - eyes_xy[0]))) + 1e-6
        after_xy = self._landmarks(after_rgb)
        if after_xy is None or np.hypot(*(self._eyes(after_xy) - eyes_xy).mean(0)) > _ANOTHER_FACE * eye_distance:
            return "output"
        parts = {name: _apart(before_xy[part], after_xy[part], eye_distance) for name, part in self._parts.items()}
        grain = np.random.default_rng(0).normal(0, _NOISE_LEVELS, before_rgb.shape)
        noisy_xy = self._landmarks(np.clip(np.rint(before_rgb + grain), 0, 255).astype(np.uint8))
        every = np.concatenate(list(self._parts.values()))
        noise = float("nan") if noisy_xy is None else _apart(before_xy[every], noisy_xy[every], eye_distance)
        return Drift(_apart(before_xy[every], after_xy[every], eye_distance), parts, noise)

    def close(self) -> None:
        """Let go of the model; idempotent."""
        self._tracker.close()

    def _landmarks(self, picture_rgb: ImageU8) -> Floats | None:
        scale = _SEEN_SIDE_PX / max(picture_rgb.shape[:2])
        picture_bgr = cv2.cvtColor(picture_rgb, cv2.COLOR_RGB2BGR)
        seen = cv2.resize(picture_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        faces = self._tracker.track(Frame(np.asarray(seen, np.uint8), 0, 0.0))
        return faces[0].landmarks_xy if faces else None

    def _eyes(self, landmarks_xy: Floats) -> Floats:
        """The centres of both eyes, (2, 2): the means of their lids."""
        return np.stack([landmarks_xy[self._parts[name]].mean(0) for name in ("right eye", "left eye")])


def _parts() -> dict[str, NDArray[np.int64]]:
    """Landmark numbers by part of the face, as MediaPipe names them."""
    from mediapipe.python.solutions import face_mesh_connections as mesh

    named = {
        "right eye": mesh.FACEMESH_RIGHT_EYE,
        "left eye": mesh.FACEMESH_LEFT_EYE,
        "brows": mesh.FACEMESH_RIGHT_EYEBROW | mesh.FACEMESH_LEFT_EYEBROW,
        "lips": mesh.FACEMESH_LIPS,
        "nose": mesh.FACEMESH_NOSE,
        "oval": mesh.FACEMESH_FACE_OVAL,
    }
    return {name: np.array(sorted({point for edge in edges for point in edge})) for name, edges in named.items()}


def _apart(one_xy: Floats, other_xy: Floats, eye_distance: float) -> float:
    return 100.0 * float(np.hypot(*(other_xy - one_xy).T).mean()) / eye_distance
