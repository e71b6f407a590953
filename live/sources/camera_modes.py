"""Sizes and frame rates that a Video4Linux camera offers, read from its driver without starting it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from fractions import Fraction

_FORMAT = struct.Struct("=III32sII12x")  # struct v4l2_fmtdesc; the fifth value is the pixel format
_SIZE = struct.Struct("=IIIIIIIII8x")  # struct v4l2_frmsizeenum
_INTERVAL = struct.Struct("=IIIIIIIIIII8x")  # struct v4l2_frmivalenum
_ENUM_FORMAT, _ENUM_SIZE, _ENUM_INTERVAL = 0xC0405602, 0xC02C564A, 0xC034564B
_CAPTURE, _DISCRETE = 1, 1
_MAX_ANSWERS = 256  # of a driver that does not end its list
_USUAL_SIZES_WH = ((640, 360), (640, 480), (1280, 720), (1920, 1080), (3840, 2160))  # of a driver that has ranges
_USUAL_RATES = (15, 24, 25, 30, 50, 60)

Ioctl = Callable[[int, int, bytearray], object]
Modes = dict[tuple[int, int], list[float]]
"""Frame rates of each size, both ascending."""


def camera_modes(path: str, *, ioctl: Ioctl | None = None) -> Modes:
    """Return what a camera offers; {} if the device does not say. A camera in use answers as well.

    Args:
        ioctl: Replaces `fcntl.ioctl` in tests.
    """
    try:
        call = ioctl or _system_ioctl()
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except (OSError, ImportError):  # ImportError: not Linux
        return {}
    try:
        found: dict[tuple[int, int], set[float]] = {}
        for pixel_format in _formats(descriptor, call):
            for size_wh in _sizes(descriptor, call, pixel_format):
                found.setdefault(size_wh, set()).update(_rates(descriptor, call, pixel_format, size_wh))
    finally:
        os.close(descriptor)
    return {size_wh: sorted(found[size_wh]) for size_wh in sorted(found)}


def _system_ioctl() -> Ioctl:
    import fcntl

    return fcntl.ioctl


def _answers(descriptor: int, ioctl: Ioctl, request: int, layout: struct.Struct, *asked: int) -> Iterator[list[int]]:
    """Yield the answers to a request whose first number counts up, until the driver refuses."""
    for index in range(_MAX_ANSWERS):
        data = bytearray(layout.size)
        struct.pack_into(f"={1 + len(asked)}I", data, 0, index, *asked)
        try:
            ioctl(descriptor, request, data)
        except OSError:
            return
        yield list(layout.unpack(data))


def _formats(descriptor: int, ioctl: Ioctl) -> list[int]:
    return [answer[4] for answer in _answers(descriptor, ioctl, _ENUM_FORMAT, _FORMAT, _CAPTURE)]


def _sizes(descriptor: int, ioctl: Ioctl, pixel_format: int) -> Iterator[tuple[int, int]]:
    for _, _, kind, *values in _answers(descriptor, ioctl, _ENUM_SIZE, _SIZE, pixel_format):
        if kind == _DISCRETE:
            yield values[0], values[1]
            continue
        least_w, most_w, _, least_h, most_h, _ = values
        yield from ((w, h) for w, h in _USUAL_SIZES_WH if least_w <= w <= most_w and least_h <= h <= most_h)
        return


def _rates(descriptor: int, ioctl: Ioctl, pixel_format: int, size_wh: tuple[int, int]) -> Iterator[float]:
    for answer in _answers(descriptor, ioctl, _ENUM_INTERVAL, _INTERVAL, pixel_format, *size_wh):
        kind, numbers = answer[4], answer[5:]
        if kind == _DISCRETE:
            if all(numbers[:2]):
                yield round(float(Fraction(numbers[1], numbers[0])), 2)
            continue
        if all(numbers[:4]):
            fastest, slowest = Fraction(numbers[1], numbers[0]), Fraction(numbers[3], numbers[2])
            yield from (float(rate) for rate in _USUAL_RATES if slowest <= rate <= fastest)
        return
