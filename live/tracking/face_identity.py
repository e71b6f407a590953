"""Stable face ids, and smoothing of each face's landmarks over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from live.pipeline.frame import Face, Floats
from live.tracking.mouth_slip import limit_mouth
from live.tracking.one_euro import OneEuro, face_size

_FORGET_S = 0.6  # a short detection failure, or a hand before the face, does not create a new face
_RESET_FILTER_S = 0.2  # after a longer gap the filter would drag the face from its old position
_MAX_MATCH_DISTANCE = 1.6  # between centres, in face sizes


@dataclass(slots=True)
class _KnownFace:
    """The last frame on which a face was found."""

    landmarks_xy: Floats
    seen_s: float
    euro: OneEuro


class FaceIdentity:
    """Matches the faces of a frame with those of earlier frames, nearest pairs first.

    Args:
        smooth: Apply a one-euro filter to the landmarks, and limit the speed of the mouth against the face.
    """

    def __init__(self, *, smooth: bool = True) -> None:
        self._smooth = smooth
        self._next_id = 0
        self._known: dict[int, _KnownFace] = {}

    def assign(self, found_xy: list[Floats], at_s: float) -> tuple[Face, ...]:
        """Return faces with stable ids, smoothed, in the order of their ids.

        Args:
            found_xy: Landmarks of each detected face, (478, 2) float32, pixels.
            at_s: Time of the frame in seconds.
        """
        for face_id in [i for i, known in self._known.items() if at_s - known.seen_s > _FORGET_S]:
            del self._known[face_id]
        centres = [landmarks.mean(0) for landmarks in found_xy]
        sizes = [face_size(landmarks) for landmarks in found_xy]
        known_centres = {face_id: known.landmarks_xy.mean(0) for face_id, known in self._known.items()}
        pairs = sorted(
            (float(np.hypot(*(centre - known_centre))) / size, index, face_id)
            for index, (centre, size) in enumerate(zip(centres, sizes, strict=True))
            for face_id, known_centre in known_centres.items()
        )
        ids: dict[int, int] = {}
        for distance, index, face_id in pairs:
            if distance < _MAX_MATCH_DISTANCE and index not in ids and face_id not in ids.values():
                ids[index] = face_id
        faces = []
        for index, landmarks_xy in enumerate(found_xy):
            face_id = ids.get(index, self._next_id)
            self._next_id = max(self._next_id, face_id + 1)
            faces.append(Face(face_id, self._smoothed(face_id, landmarks_xy, at_s)))
        return tuple(sorted(faces, key=lambda face: face.face_id))

    def _smoothed(self, face_id: int, landmarks_xy: Floats, at_s: float) -> Floats:
        """Return the landmarks of a face, smoothed if that is requested, and keep them for the next frame."""
        known = self._known.get(face_id)
        if known is not None and at_s - known.seen_s > _RESET_FILTER_S:
            known = None
        euro = known.euro if known is not None else OneEuro()
        if self._smooth:
            landmarks_xy = euro(landmarks_xy, at_s)
            if known is not None:
                landmarks_xy = limit_mouth(known.landmarks_xy, landmarks_xy, max(at_s - known.seen_s, 1e-3))
        self._known[face_id] = _KnownFace(landmarks_xy, at_s, euro)
        return landmarks_xy
