"""Mixture of two pictures or planes through a mask."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray


def mixed(below: MatLike, above: MatLike, mask: MatLike) -> NDArray[np.uint8]:
    """Return `above` over `below` through a mask.

    Args:
        below: (H, W) or (H, W, C) uint8.
        above: Of the same shape.
        mask: (H, W) uint8, 0..255; for all channels.
    """
    weight = mask if below.ndim == 2 else cv2.merge([mask] * below.shape[2])
    part = cv2.multiply(above, weight, scale=1 / 255)
    return np.asarray(cv2.add(part, cv2.multiply(below, cv2.bitwise_not(weight), scale=1 / 255)), np.uint8)
