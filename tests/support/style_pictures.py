"""A style picture for the tests of paintings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def write_stripes(path: Path, *, inverted: bool = False) -> Path:
    """Write red stripes on black, or their complement; return the path."""
    stripes = np.zeros((64, 96, 3), np.uint8)
    stripes[::8] = stripes[1::8] = (40, 60, 220)
    cv2.imwrite(str(path), 255 - stripes if inverted else stripes)
    return path
