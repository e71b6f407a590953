"""Text drawn on the preview window: figures in the corner, a state banner, the help in the middle."""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from live.pipeline.frame import ImageU8

_BACKGROUND_RGBA = (20, 22, 26, 190)
_TEXT_RGB, _DIM_TEXT_RGB = (240, 240, 240), (205, 205, 205)
_RED_RGB, _AMBER_RGB = (235, 60, 60), (250, 190, 80)
_REPLACEMENTS = str.maketrans("\u2013\u2014\u00b7\u2019\u00d7\t", "---'x ")  # dashes, dot, apostrophe, times sign
_DOT = "\u2022"  # drawn, because the font has none
_MIN_LINE_PX = 9

Cell = tuple[str, tuple[int, int, int]]
"""Text, and its colour in RGB."""
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""An overlay for a box of the picture: (H, W, 3) BGR times its opacity, 0..255, and (H, W, 3) transparency, 0..1."""


@dataclass(frozen=True, slots=True)
class MeterText:
    """The text on the preview window.

    Attributes:
        lines: Lines of the strip.
        help_lines: Lines of the help panel, "KEY  what it does" each; empty while the help is hidden.
        banner: A short state ("recording", "frozen"); one that contains "recording" gets a red dot.
    """

    lines: tuple[str, ...]
    help_lines: tuple[str, ...] = ()
    banner: str = ""


def draw_meter(frame_bgr: ImageU8, text: MeterText) -> None:
    """Draw the text onto a frame, in place.

    A line is about 1/36 of the frame height, between 14 and 48 pixels; less if the text would not fit.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR. Frames too small for text are left unchanged.
        text: The text to draw.
    """
    height, width = frame_bgr.shape[:2]
    line_px = int(min(max(14.0, height / 36), 48.0))
    if width < 8 * line_px or height < 3 * line_px:
        return
    strip_w = strip_h = 0
    if text.lines:
        colours = (_TEXT_RGB, *[_DIM_TEXT_RGB] * (len(text.lines) - 1))
        rows = tuple(((_ascii(line), colour),) for line, colour in zip(text.lines, colours, strict=True))
        strip_w, strip_h = _blend(frame_bgr, _box(rows, width, height, line_px), 0.0, 0)
    if text.help_lines and height - strip_h >= 4 * line_px:
        pairs = (_ascii(line).partition("  ") for line in text.help_lines)
        help_rows = tuple(((key, _AMBER_RGB), (effect.strip(), _TEXT_RGB)) for key, _, effect in pairs)
        panel = _box(help_rows, width - line_px, height - strip_h - line_px, line_px)
        _blend(frame_bgr, panel, 0.5, max(strip_h, (height - panel[0].shape[0]) // 2))
    if text.banner:
        state = (_ascii(text.banner), _AMBER_RGB)
        row = ((_DOT, _RED_RGB), (state[0], _TEXT_RGB)) if "recording" in text.banner.lower() else (state,)
        banner = _box((row,), width, height, line_px)
        _blend(frame_bgr, banner, 1.0, 0 if width - banner[0].shape[1] > strip_w else strip_h)


def _blend(frame_bgr: ImageU8, layer: Layer, place: float, top: int) -> tuple[int, int]:
    """Blend a layer into the frame, at the left (0.0) to the right (1.0); return its width and height in pixels."""
    ink, transparency = layer
    left = round(place * (frame_bgr.shape[1] - ink.shape[1]))
    box = frame_bgr[top : top + ink.shape[0], left : left + ink.shape[1]]
    height, width = box.shape[:2]
    if box.size:
        background = cv2.multiply(box, transparency[:height], dtype=cv2.CV_32F)
        box[:] = cv2.add(background, ink[:height], dtype=cv2.CV_8U)
    return width, height


@functools.lru_cache(maxsize=16)
def _box(rows: tuple[tuple[Cell, ...], ...], max_w: int, max_h: int, line_px: int) -> Layer:
    """Draw a table of text on a dark box; with smaller text if space is short."""
    while True:
        font = _font(line_px)
        columns = [[math.ceil(font.getlength(text)) for text, _ in column] for column in zip(*rows, strict=True)]
        column_px = [max(widths) + line_px for widths in columns]
        width, height = sum(column_px), round(line_px * (1.5 * len(rows) + 0.5))
        if (width <= max_w and height <= max_h) or line_px <= _MIN_LINE_PX:
            break
        line_px -= 1
    image = Image.new("RGBA", (min(width, max_w), min(height, max_h)), _BACKGROUND_RGBA)
    draw = ImageDraw.Draw(image)
    for number, row in enumerate(rows):
        left = line_px // 2
        for (text, colour), width in zip(row, column_px, strict=True):
            middle, radius = round(line_px * (1.5 * number + 1.0)), 0.38 * line_px
            if text == _DOT:
                draw.ellipse((left, middle - radius, left + 2 * radius, middle + radius), fill=colour)
            else:
                draw.text((left, middle), text, fill=colour, font=font, anchor="lm")
            left += width
    rgba = np.asarray(image, np.float32)
    opacity = rgba[:, :, 3:] / 255
    return rgba[:, :, 2::-1] * opacity, np.repeat(1 - opacity, 3, axis=2)


@functools.lru_cache(maxsize=64)
def _font(line_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font; its capitals are about 0.6 of a line high."""
    font = ImageFont.load_default(0.85 * line_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _ascii(text: str) -> str:
    """Convert to what the font contains: accents are dropped, dashes and dots replaced, the rest becomes '?'."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACEMENTS))
    return re.sub("[^ -~]", "?", "".join(c for c in decomposed if not unicodedata.combining(c)))
