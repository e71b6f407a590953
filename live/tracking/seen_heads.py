"""Heads that were detected a moment ago, and which of them are not those of tracked faces."""

from __future__ import annotations

import math
from collections.abc import Iterable

from live.pipeline.frame import Face, Floats, Head

_KEPT_S = 2.4  # after it was detected; all views are searched in little over a second
_SAME = 0.5  # of the larger head's size: heads closer than this are the same


class SeenHeads:
    """Remembers the heads that the views of a film have shown."""

    def __init__(self) -> None:
        self._seen: list[tuple[Head, float]] = []

    def add(self, head: Head, at_s: float) -> None:
        """Remember a detected head in place of the same one where it was before."""
        self._seen = [one for one in self._seen if not is_one_of(head, [one[0]])] + [(head, at_s)]

    def untracked(self, faces: Iterable[Face], at_s: float) -> tuple[Head, ...]:
        """Return the heads that are not those of tracked faces; what was not seen again for long is forgotten."""
        self._seen = [one for one in self._seen if abs(at_s - one[1]) < _KEPT_S]
        tracked = [head_of(face.landmarks_xy) for face in faces]
        return tuple(head for head, _ in self._seen if not is_one_of(head, tracked))


def is_one_of(head: Head, others: Iterable[Head]) -> bool:
    """Return whether a head is the same as one of the others."""
    (x, y), size_px = head
    return any(math.hypot(x - at[0], y - at[1]) < _SAME * max(size_px, other_px) for at, other_px in others)


def head_of(landmarks_xy: Floats) -> Head:
    """Return the centre, and the longer side of the axis-aligned bounding box, of a face in pixels."""
    low, high = landmarks_xy.min(0), landmarks_xy.max(0)
    return (float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2), float((high - low).max())
