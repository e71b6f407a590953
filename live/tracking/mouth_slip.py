"""Detects and limits jumps of a mesh's mouth against its face: the mesh of a covered or blurred mouth may slip."""

from __future__ import annotations

import numpy as np

from live.pipeline.frame import Floats

# Eye corners, bridge of the nose, brows and forehead, which no expression moves far; mouth corners.
_UPPER_FACE = np.array([33, 133, 362, 263, 168, 6, 197, 195, 5, 4, 70, 300, 10, 54, 284])
_MOUTH_CORNERS = np.array([61, 291])
MAX_SPEED = 1.4  # of a mouth against its face, in face widths per second; quick grimaces reach 1.2


def mouth_jump(before_xy: Floats, after_xy: Floats) -> float:
    """Return how far the mouth moved against the upper face, in face widths.

    Args:
        before_xy: Landmarks of a face on one frame, (478, 2) float32, pixels.
        after_xy: Landmarks of the same face on a later frame.
    """
    return _jump(_moved_with_upper_face(before_xy, after_xy), after_xy)


def limit_mouth(before_xy: Floats, after_xy: Floats, step_s: float) -> Floats:
    """Limit the speed of a mouth against its face.

    Args:
        before_xy: Landmarks of a face on one frame, (478, 2) float32, pixels.
        after_xy: Landmarks of the same face on a later frame.
        step_s: Time between the frames.

    Returns:
        `after_xy`; if the mouth is too fast, the landmarks between those before, moved with the upper face, and those
        after at which it has the highest speed.
    """
    held_xy = _moved_with_upper_face(before_xy, after_xy)
    jump, limit = _jump(held_xy, after_xy), MAX_SPEED * step_s
    return after_xy if jump <= limit else held_xy + np.float32(limit / jump) * (after_xy - held_xy)


def _jump(held_xy: Floats, after_xy: Floats) -> float:
    distance_px = np.hypot(*(after_xy - held_xy)[_MOUTH_CORNERS].mean(0))
    return float(distance_px / (np.ptp(held_xy[:, 0]) + 1e-6))


def _moved_with_upper_face(before_xy: Floats, after_xy: Floats) -> Floats:
    """Return the landmarks before under the similarity that fits their upper face to that after (least squares)."""
    centre_before_xy, centre_after_xy = before_xy[_UPPER_FACE].mean(0), after_xy[_UPPER_FACE].mean(0)
    x, y = (before_xy[_UPPER_FACE] - centre_before_xy).T
    u, v = (after_xy[_UPPER_FACE] - centre_after_xy).T
    norm = float(x @ x + y @ y) + 1e-6
    along, across = float(x @ u + y @ v) / norm, float(x @ v - y @ u) / norm
    matrix = np.array([[along, across], [-across, along]], np.float32)  # for rows
    return np.asarray((before_xy - centre_before_xy) @ matrix + centre_after_xy, np.float32)
