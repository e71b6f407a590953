"""The times of `benchmarks.peers` as a PNG: a bar for each network in each runtime, drawn with OpenCV."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

_WIDTH, _LEFT, _RIGHT, _TOP = 1000, 150, 120, 40
_BAR, _GAP = 18, 16
_INK, _GREY = (40, 40, 40), (225, 225, 225)  # BGR
_COLOURS = (  # as many as runtimes
    (150, 150, 150), (200, 150, 60), (200, 90, 20), (120, 40, 10),
    (90, 190, 120), (40, 130, 30), (60, 60, 200),
)  # fmt: skip


def chart(bars: Sequence[tuple[str, str, float]]) -> ImageU8:
    """The picture, (H, W, 3) BGR uint8, milliseconds on a logarithmic scale.

    Args:
        bars: network, runtime, median milliseconds; at least one, each above zero.
    """
    nets, runtimes = list(dict.fromkeys(bar[0] for bar in bars)), list(dict.fromkeys(bar[1] for bar in bars))
    row = len(runtimes) * _BAR + _GAP
    picture = np.full((_TOP + len(nets) * row + 30, _WIDTH, 3), 255, np.uint8)
    low, high = math.floor(math.log10(min(bar[2] for bar in bars))), math.log10(max(bar[2] for bar in bars))

    def x_of(ms: float) -> int:
        return round(_LEFT + (math.log10(ms) - low) / max(high - low, 1e-9) * (_WIDTH - _LEFT - _RIGHT))

    for power in range(low, math.floor(high) + 1):
        at, bottom = x_of(10.0**power), picture.shape[0] - 24
        cv2.line(picture, (at, _TOP - 8), (at, bottom), _GREY, 1)
        _write(picture, f"{10.0**power:g} ms", at - 14, bottom + 16)
    for name, runtime, ms in bars:
        number = runtimes.index(runtime)
        top = _TOP + nets.index(name) * row + number * _BAR
        cv2.rectangle(picture, (_LEFT, top), (x_of(ms), top + _BAR - 4), _COLOURS[number], cv2.FILLED)
        _write(picture, f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}", x_of(ms) + 6, top + 12)
    for number, label in enumerate(runtimes):
        at = 10 + number * 140
        cv2.rectangle(picture, (at, 10), (at + 12, 22), _COLOURS[number], cv2.FILLED)
        _write(picture, label, at + 18, 21)
    for number, label in enumerate(nets):
        _write(picture, label, 10, _TOP + number * row + (row - _GAP) // 2 + 4)
    return picture


def _write(picture: ImageU8, text: str, x: int, y: int) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _INK, 1, cv2.LINE_AA)
