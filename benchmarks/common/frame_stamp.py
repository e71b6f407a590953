"""A number in the picture: what went in can be told from what came out, after YUV, compression and other sizes.

A row of black and white cells at the upper left: white, black, 16 bits of the number, 8 bits to check it by.
"""

from __future__ import annotations

import zlib

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

NUMBERS = 1 << 16
_CELLS = 2 + 16 + 8
_CELLS_A_WIDTH = 40  # a cell is this part of the picture's width: 32 pixels of 1280
_LEAST_CONTRAST = 60.0


def stamp(picture_bgr: ImageU8, number: int) -> None:
    """Write the number, counted modulo 65536, into the picture."""
    bits = [1, 0, *_bits(number % NUMBERS, 16), *_bits(_check(number % NUMBERS), 8)]
    for index, bit in enumerate(bits):
        left, right, top, bottom = _cell(picture_bgr, index)
        picture_bgr[top:bottom, left:right] = 255 * bit


def read_stamp(picture_bgr: ImageU8) -> int | None:
    """The number in the picture; None where there is none that fits its check."""
    levels = np.empty(_CELLS)
    for index in range(_CELLS):
        left, right, top, bottom = _cell(picture_bgr, index)
        inset = max(1, (right - left) // 4)
        levels[index] = cv2.mean(picture_bgr[top + inset : bottom - inset, left + inset : right - inset])[1]
    if not levels[0] - levels[1] >= _LEAST_CONTRAST:
        return None
    bits = levels > (levels[0] + levels[1]) / 2
    number, check = (int("".join("01"[bit] for bit in part.astype(int)), 2) for part in (bits[2:18], bits[18:]))
    return number if check == _check(number) else None


def _cell(picture_bgr: ImageU8, index: int) -> tuple[int, int, int, int]:
    """Left, right, top and bottom of a cell; a cell's width away from the edges."""
    side = picture_bgr.shape[1] / _CELLS_A_WIDTH
    return round((1 + index) * side), round((2 + index) * side), round(side), round(2 * side)


def _bits(value: int, count: int) -> list[int]:
    return [value >> index & 1 for index in reversed(range(count))]


def _check(number: int) -> int:
    return zlib.crc32(number.to_bytes(2, "big")) & 0xFF
