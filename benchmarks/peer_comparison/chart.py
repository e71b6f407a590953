"""Bar chart of `benchmarks.peers`: a bar for each network in each runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from live.pipeline.frame import ImageU8

_WIDTH, _LEFT, _RIGHT, _TOP = 1000, 150, 120, 40
_BAR, _GAP = 18, 16
_TEXT_BGR, _GRID_BGR = (40, 40, 40), (225, 225, 225)
_BLUE_BGR = ((200, 150, 60), (200, 90, 20), (120, 40, 10))  # OpenVINO
_GREEN_BGR = ((90, 190, 120), (40, 130, 30))  # CUDA
_COLOURS_BGR = ((150, 150, 150), *_BLUE_BGR, *_GREEN_BGR, (60, 60, 200))  # in the order of the runtimes


def chart(bars: Sequence[tuple[str, str, float]]) -> ImageU8:
    """Draw the chart, (H, W, 3) BGR uint8, with milliseconds on a logarithmic scale.

    Args:
        bars: Network, runtime and median in milliseconds; at least one, each above zero.
    """
    nets, runtimes = list(dict.fromkeys(bar[0] for bar in bars)), list(dict.fromkeys(bar[1] for bar in bars))
    row = len(runtimes) * _BAR + _GAP
    picture = np.full((_TOP + len(nets) * row + 30, _WIDTH, 3), 255, np.uint8)
    low, high = math.floor(math.log10(min(bar[2] for bar in bars))), math.log10(max(bar[2] for bar in bars))

    def x_of(ms: float) -> int:
        return round(_LEFT + (math.log10(ms) - low) / max(high - low, 1e-9) * (_WIDTH - _LEFT - _RIGHT))

    def write(text: str, x: int, y: int) -> None:
        cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.42, _TEXT_BGR, 1, cv2.LINE_AA)

    for power in range(low, math.floor(high) + 1):
        x, bottom = x_of(10.0**power), picture.shape[0] - 24
        cv2.line(picture, (x, _TOP - 8), (x, bottom), _GRID_BGR, 1)
        write(f"{10.0**power:g} ms", x - 14, bottom + 16)
    for net, runtime, ms in bars:
        number = runtimes.index(runtime)
        top = _TOP + nets.index(net) * row + number * _BAR
        cv2.rectangle(picture, (_LEFT, top), (x_of(ms), top + _BAR - 4), _COLOURS_BGR[number], cv2.FILLED)
        write(f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}", x_of(ms) + 6, top + 12)
    for number, label in enumerate(runtimes):
        x = 10 + number * 140
        cv2.rectangle(picture, (x, 10), (x + 12, 22), _COLOURS_BGR[number], cv2.FILLED)
        write(label, x + 18, 21)
    for number, label in enumerate(nets):
        write(label, 10, _TOP + number * row + (row - _GAP) // 2 + 4)
    return picture
