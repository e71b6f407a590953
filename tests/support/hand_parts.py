"""A made-up open hand as landmarks."""

from __future__ import annotations

import numpy as np

from engines.regions.hand_shapes import Hand

_FINGERS_X = (-1.5, -0.5, 0.5, 1.5)  # index to little finger, in finger distances


def open_hand(middle_xy: tuple[float, float], width_px: float, *, depth: float = 0.0) -> Hand:
    """Return an open hand whose palm is a square of that width around a middle, fingers up."""
    points = np.zeros((21, 3), np.float32)
    points[0, :2] = 0, 0.5
    for joint in range(4):  # the thumb goes to the left
        points[1 + joint, :2] = -0.35 - 0.2 * joint, 0.35 - 0.15 * joint
        for number, x in enumerate(_FINGERS_X):
            points[5 + 4 * number + joint, :2] = x / 3, -0.5 - 0.3 * joint
    points *= width_px
    points += np.array((*middle_xy, depth), np.float32)
    return points
