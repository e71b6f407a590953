"""A test picture with known colours: a portrait between the patches of a colour chart; and colour differences."""

from __future__ import annotations

import itertools
import subprocess
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.portrait import portrait_bgr

ImageU8 = NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom

# 24 sRGB colours: skin, sky, foliage, flowers, saturated colours and a row of greys.
PATCHES_RGB = (
    (116, 81, 67), (199, 147, 129), (91, 122, 156), (90, 108, 64), (130, 128, 176), (92, 190, 172),
    (224, 124, 47), (68, 91, 170), (198, 82, 97), (94, 58, 106), (159, 189, 63), (230, 162, 39),
    (35, 63, 147), (67, 149, 74), (180, 49, 57), (238, 198, 20), (193, 84, 151), (12, 136, 170),
    (243, 238, 243), (200, 202, 202), (161, 162, 161), (121, 121, 120), (82, 84, 86), (49, 49, 51),
)  # fmt: skip
# The webcam driver's test pattern: bars of 75 % saturation, from the left.
BARS_RGB = (
    (191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191), (0, 0, 0),
)  # fmt: skip
CHART_WH, SMALL_WH = (640, 360), (320, 240)
CHART_FILE, SMALL_FILE = "chart-640x360.yuyv", "chart-320x240.yuyv"  # in the shared folder
_COLUMNS, _ROWS = 2, 6  # on each side of the portrait


def chart(size_wh: tuple[int, int]) -> ImageU8:
    """Return the chart with the portrait in its centre, (H, W, 3) uint8 BGR."""
    width, height = size_wh
    picture = np.full((height, width, 3), 96, np.uint8)
    for (left, top, right, bottom), rgb in zip(patch_boxes(size_wh), PATCHES_RGB, strict=True):
        picture[top:bottom, left:right] = rgb[::-1]
    left, top, right, bottom = portrait_box(size_wh)
    picture[top:bottom, left:right] = cv2.resize(
        _head_bgr(), (right - left, bottom - top), interpolation=cv2.INTER_AREA
    )
    return picture


def _head_bgr() -> ImageU8:
    return portrait_bgr()[0:260, 96:356]


def as_yuyv(picture_bgr: ImageU8) -> bytes:
    """Encode a BGR picture as raw webcam data (YUYV 4:2:2, BT.601, limited range)."""
    png = cv2.imencode(".png", picture_bgr)[1].tobytes()
    command = ["ffmpeg", "-v", "error", "-f", "png_pipe", "-i", "pipe:0", "-pix_fmt", "yuyv422", "-f", "rawvideo", "-"]
    return subprocess.run(command, input=png, capture_output=True, check=True, timeout=60).stdout


def portrait_box(size_wh: tuple[int, int]) -> Box:
    """Return the box of the portrait."""
    width, height = size_wh
    side = min(height, width // 2) // 2 * 2
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def patch_boxes(size_wh: tuple[int, int]) -> list[Box]:
    """Return the boxes of the patches, in the order of their colours."""
    width, height = size_wh
    inner, _, outer, _ = portrait_box(size_wh)
    boxes = []
    for left, right in ((0, inner), (outer, width)):
        for row in range(_ROWS):
            for column in range(_COLUMNS):
                step_x, step_y = (right - left) // _COLUMNS, height // _ROWS
                x, y = left + column * step_x, row * step_y
                boxes.append((x, y, x + step_x, y + step_y))
    return boxes


def bar_boxes(size_wh: tuple[int, int]) -> list[Box]:
    """Return the boxes of the bars' lower halves."""
    width, height = size_wh
    edges = np.linspace(0, width, len(BARS_RGB) + 1).round().astype(int)
    return [(int(left), height // 2, int(right), height) for left, right in itertools.pairwise(edges)]


def mean_rgb(picture_bgr: ImageU8, boxes: list[Box]) -> NDArray[np.float64]:
    """Return the mean colour of each box's central half, (N, 3) float64 RGB, 0..255; chroma is mixed at the edges."""
    means = []
    for left, top, right, bottom in boxes:
        x, y = (right - left) // 4, (bottom - top) // 4
        means.append(picture_bgr[top + y : bottom - y, left + x : right - x, ::-1].reshape(-1, 3).mean(0))
    return np.array(means)


def colour_error(measured_rgb: Any, true_rgb: Any) -> NDArray[np.float64]:
    """Return the CIEDE2000 difference of each pair of RGB colours, 0..255 (1 is just noticeable)."""
    from skimage.color import deltaE_ciede2000, rgb2lab

    one, other = (rgb2lab(np.asarray(rgb, np.float64)[None] / 255) for rgb in (measured_rgb, true_rgb))
    return np.asarray(deltaE_ciede2000(one, other)[0])


def moved_into(boxes: list[Box], from_wh: tuple[int, int], into_wh: tuple[int, int]) -> list[Box]:
    """Return the boxes of a picture after it has been fitted, centred, into another size."""
    scale = min(into_wh[0] / from_wh[0], into_wh[1] / from_wh[1])
    x, y = ((into - side * scale) / 2 for into, side in zip(into_wh, from_wh, strict=True))
    return [
        (round(x + a * scale), round(y + b * scale), round(x + c * scale), round(y + d * scale)) for a, b, c, d in boxes
    ]
