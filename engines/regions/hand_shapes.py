"""Where a hand is, from its landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
Hand = NDArray[np.float32]
"""(21, 3) in the order of MediaPipe's hands: x, y in pixels, and depth in the same unit; what is nearer has less."""

FINGERS = ([1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 12], [13, 14, 15, 16], [17, 18, 19, 20])  # base to tip, thumb first
PALM = [0, 1, 5, 9, 13, 17]  # the wrist, and the bases of the fingers
_FINGER, _THUMB, _RIM = 0.32, 0.38, 0.25  # widths, as parts of the palm's; the last around the palm's landmarks
_BITS = 4  # of OpenCV's fixed-point coordinates


def hand_width_px(hand: Hand) -> float:
    """Return the width of a palm, in pixels, whichever way it is turned."""
    across, along = (float(np.linalg.norm(hand[one] - hand[other])) for one, other in ((5, 17), (0, 9)))
    return max(across, 0.8 * along, 1.0)


def finger_px(finger: Sequence[int], width_px: float) -> float:
    """Return the width of a finger of a palm of that width."""
    return width_px * (_THUMB if finger[0] == FINGERS[0][0] else _FINGER)


def draw_finger(picture: ImageU8, hand: Hand, finger: Sequence[int], width_px: float) -> None:
    """Draw the shape of a finger, 255, on a picture (H, W) uint8, in place."""
    places = _fixed(hand[list(finger), :2])
    cv2.polylines(picture, [places], False, (255,), max(1, round(finger_px(finger, width_px))), cv2.LINE_AA, _BITS)


def draw_palm(picture: ImageU8, hand: Hand, width_px: float) -> None:
    """Draw the shape of a palm, 255, on a picture (H, W) uint8, in place."""
    outline = _fixed(np.asarray(cv2.convexHull(hand[PALM, :2].astype(np.float32))[:, 0], np.float32))
    cv2.fillPoly(picture, [outline], (255,), cv2.LINE_AA, _BITS)
    cv2.polylines(picture, [outline], True, (255,), max(1, round(_RIM * width_px)), cv2.LINE_AA, _BITS)


def uncovered(box: tuple[int, int, int, int], hands: Sequence[Hand]) -> ImageU8:
    """Return where no hand is in a box of a frame, (box height, box width) uint8: 0 on a hand, 255 elsewhere.

    Args:
        box: Left, top, right, bottom in pixels.
        hands: In pixels of the frame; those that are not finite are left out.
    """
    covered = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    for hand in hands:
        if np.isfinite(hand).all():
            here, width_px = hand - np.array((*box[:2], 0), np.float32), hand_width_px(hand)
            draw_palm(covered, here, width_px)
            for finger in FINGERS:
                draw_finger(covered, here, finger, width_px)
    return np.asarray(cv2.bitwise_not(covered), np.uint8)


def _fixed(points_xy: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return points for OpenCV, which counts from the centre of the first pixel."""
    return np.asarray(np.rint((points_xy - 0.5).clip(-(2**16), 2**16) * 2**_BITS), np.int32)
