"""Stable face ids, and temporal smoothing of each face's landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import Face
from live.tracking.one_euro import OneEuro, face_size

_FORGET_S = 0.6  # a short detection failure, or a hand before the face, does not create a new face
_RESET_FILTER_S = 0.2  # after a longer gap the filter would drag the face from its old position
_MAX_MATCH_DISTANCE = 1.6  # between centres, in face sizes


class FaceIdentity:
    """Matches the faces of a frame with those of earlier frames, nearest pairs first.

    Args:
        smooth: Apply a one-euro filter to the landmarks.
    """

    def __init__(self, *, smooth: bool = True) -> None:
        self._smooth = smooth
        self._next_id = 0
        self._known: dict[int, tuple[NDArray[np.float32], float, OneEuro]] = {}  # id: (centre, seen_s, filter)

    def assign(self, found_xy: list[NDArray[np.float32]], at_s: float) -> tuple[Face, ...]:
        """Return faces with stable ids, smoothed, in the order of their ids.

        Args:
            found_xy: Landmarks of each detected face, (478, 2) float32, pixels.
            at_s: Time of the frame in seconds.
        """
        for face_id in [i for i, (_, seen_s, _) in self._known.items() if at_s - seen_s > _FORGET_S]:
            del self._known[face_id]
        centres = [landmarks.mean(0) for landmarks in found_xy]
        sizes = [face_size(landmarks) for landmarks in found_xy]
        pairs = sorted(
            (float(np.hypot(*(centre - known_centre))) / size, index, face_id)
            for index, (centre, size) in enumerate(zip(centres, sizes, strict=True))
            for face_id, (known_centre, _, _) in self._known.items()
        )
        ids: dict[int, int] = {}
        for distance, index, face_id in pairs:
            if distance < _MAX_MATCH_DISTANCE and index not in ids and face_id not in ids.values():
                ids[index] = face_id
        faces = []
        for index, landmarks_xy in enumerate(found_xy):
            face_id = ids.get(index, self._next_id)
            self._next_id = max(self._next_id, face_id + 1)
            _, seen_s, euro = self._known.get(face_id, (None, at_s, OneEuro()))
            if at_s - seen_s > _RESET_FILTER_S:
                euro = OneEuro()
            smoothed_xy = euro(landmarks_xy, at_s) if self._smooth else landmarks_xy
            self._known[face_id] = (centres[index], at_s, euro)
            faces.append(Face(face_id, smoothed_xy))
        return tuple(sorted(faces, key=lambda face: face.face_id))
