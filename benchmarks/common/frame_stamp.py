"""A frame number encoded in the pixels, readable after YUV conversion, compression and scaling.

Row of black and white cells at the upper left: white, black, 16 bits of the number, 8 bits of checksum.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

NUMBERS = 1 << 16
_CELLS = 2 + 16 + 8
_CELLS_PER_WIDTH = 40  # a cell is 32 pixels wide in a frame of 1280
_MIN_CONTRAST = 60.0


def stamp(picture_bgr: ImageU8, number: int) -> None:
    """Draw the number, modulo 65536, into an (H, W, 3) uint8 image."""
    bits = [1, 0, *_bits(number % NUMBERS, 16), *_bits(_checksum(number % NUMBERS), 8)]
    for index, bit in enumerate(bits):
        left, right, top, bottom = _cell(picture_bgr, index)
        picture_bgr[top:bottom, left:right] = 255 * bit


def read_stamp(picture_bgr: ImageU8) -> int | None:
    """Read the number from an (H, W, 3) uint8 image; None if there is none or the checksum differs."""
    levels = np.empty(_CELLS)
    for index in range(_CELLS):
        left, right, top, bottom = _cell(picture_bgr, index)
        inset = max(1, (right - left) // 4)
        levels[index] = cv2.mean(picture_bgr[top + inset : bottom - inset, left + inset : right - inset])[1]
    if not levels[0] - levels[1] >= _MIN_CONTRAST:
        return None
    bits = levels > (levels[0] + levels[1]) / 2
    number, checksum = (int("".join("01"[bit] for bit in part.astype(int)), 2) for part in (bits[2:18], bits[18:]))
    return number if checksum == _checksum(number) else None


def _cell(picture_bgr: ImageU8, index: int) -> tuple[int, int, int, int]:
    """Return left, right, top and bottom of a cell; the row is one cell away from the edges."""
    side = picture_bgr.shape[1] / _CELLS_PER_WIDTH
    return round((1 + index) * side), round((2 + index) * side), round(side), round(2 * side)


def _bits(value: int, count: int) -> list[int]:
    return [value >> index & 1 for index in reversed(range(count))]


def _checksum(number: int) -> int:
    return zlib.crc32(number.to_bytes(2, "big")) & 0xFF
