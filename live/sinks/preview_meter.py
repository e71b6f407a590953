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

_STRIP_OPACITY, _PANEL_OPACITY = 0.7, 0.8
_BACKGROUND_RGB = (20, 22, 26)
_TEXT_RGB, _DIM_TEXT_RGB = (240, 240, 240), (205, 205, 205)
_RED_RGB, _AMBER_RGB = (235, 60, 60), (250, 190, 80)
_REPLACEMENTS = str.maketrans("\u2013\u2014\u00b7\u2019\u00d7\t", "---'x ")  # dashes, dot, apostrophe, times sign

Color = tuple[int, int, int]
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""An overlay for a box of the picture: (H, W, 3) BGR times its opacity, 0..255, and (H, W, 3) transparency, 0..1."""


@dataclass(frozen=True, slots=True)
class MeterText:
    """The text on the preview window.

    Attributes:
        lines: Lines of the strip; figures within a line are separated by three or more spaces.
        help_lines: Lines of the help panel, "KEY  what it does" each; empty while the help is hidden.
        banner: A short state ("recording", "frozen"); one that contains "recording" gets a red dot.
    """

    lines: tuple[str, ...]
    help_lines: tuple[str, ...] = ()
    banner: str = ""


def draw_meter(frame_bgr: ImageU8, text: MeterText) -> None:
    """Draw the text onto a frame, in place.

    A line is about 1/36 of the frame height, between 14 and 48 pixels.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR. Frames too small for text are left unchanged.
        text: The text to draw.
    """
    height, width = frame_bgr.shape[:2]
    line_px = int(min(max(14.0, height / 36), 48.0))
    if width < 8 * line_px or height < 3 * line_px:
        return
    strip_w, strip_h = 0, 0
    if text.lines:
        strip = _strip(text.lines, width, line_px)
        strip_h, strip_w = strip[0].shape[:2]
        _blend(frame_bgr, strip, 0, 0)
    if text.help_lines and height - strip_h >= 4 * line_px:
        panel = _panel(text.help_lines, width - line_px, height - strip_h - line_px, line_px)
        panel_h, panel_w = panel[0].shape[:2]
        _blend(frame_bgr, panel, (width - panel_w) // 2, max(strip_h, (height - panel_h) // 2))
    if text.banner:
        banner = _banner(text.banner, width - line_px, line_px)
        left = width - banner[0].shape[1] - line_px // 2
        _blend(frame_bgr, banner, left, line_px // 2 + (0 if left > strip_w else strip_h))


def _blend(frame_bgr: ImageU8, layer: Layer, left: int, top: int) -> None:
    """Blend a layer into the frame, clipped at the right and lower edge."""
    ink, transparency = layer
    box = frame_bgr[top : top + ink.shape[0], left : left + ink.shape[1]]
    height, width = box.shape[:2]
    if box.size:
        background = cv2.multiply(box, transparency[:height, :width], dtype=cv2.CV_32F)
        box[:] = cv2.add(background, ink[:height, :width], dtype=cv2.CV_8U)


class _TextBox:
    """A dark box with text."""

    def __init__(self, width: int, height: int, line_px: int, *, opacity: float, corner_px: int = 0) -> None:
        self._image, self._font = Image.new("RGBA", (width, height)), _font(line_px)
        self._draw = ImageDraw.Draw(self._image)
        fill = (*_BACKGROUND_RGB, round(opacity * 255))
        self._draw.rounded_rectangle((0, 0, width - 1, height - 1), corner_px, fill=fill)

    def write(self, text: str, left: int, middle: int, color: Color) -> None:
        self._draw.text((left, middle), text, fill=color, font=self._font, anchor="lm")

    def dot(self, x: int, y: int, radius: float, color: Color) -> None:
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def layer(self) -> Layer:
        rgba = np.asarray(self._image, np.float32)
        opacity = rgba[:, :, 3:] / 255
        return rgba[:, :, 2::-1] * opacity, np.repeat(1 - opacity, 3, axis=2)


@functools.lru_cache(maxsize=8)
def _strip(lines: tuple[str, ...], width: int, line_px: int) -> Layer:
    rows = [row for line in lines for row in _wrapped(_ascii(line), width - line_px, line_px)]
    needed_px = max(line_px, *(sum(_text_px(figure, line_px) + _gap_px(line_px) for figure in row) for row in rows))
    box = _TextBox(min(width, needed_px), round(line_px * (1.5 * len(rows) + 0.5)), line_px, opacity=_STRIP_OPACITY)
    for number, row in enumerate(rows):
        middle = round(line_px * (1.5 * number + 1.0))
        left = line_px // 2
        for figure in row:
            box.write(figure, left, middle, _TEXT_RGB if number == 0 else _DIM_TEXT_RGB)
            left += _text_px(figure, line_px) + _gap_px(line_px)
    return box.layer()


@functools.lru_cache(maxsize=8)
def _banner(text: str, max_w: int, line_px: int) -> Layer:
    text, is_recording = _truncated(_ascii(text), max_w - 3 * line_px, line_px), "recording" in text.lower()
    dot_px = round(line_px * 1.2) if is_recording else 0
    width = _text_px(text, line_px) + line_px + dot_px
    box = _TextBox(width, line_px * 2, line_px, opacity=_PANEL_OPACITY, corner_px=line_px // 2)
    if is_recording:
        box.dot(line_px, line_px, line_px * 0.38, _RED_RGB)
    box.write(text, line_px // 2 + dot_px, line_px, _TEXT_RGB if is_recording else _AMBER_RGB)
    return box.layer()


@functools.lru_cache(maxsize=4)
def _panel(lines: tuple[str, ...], max_w: int, max_h: int, line_px: int) -> Layer:
    """Draw the help: keys in one column, their effects in the next; with smaller text if space is short."""
    rows = [_ascii(line).partition("  ") for line in lines]
    while True:
        key_px = max((_text_px(key, line_px) for key, _, _ in rows), default=0) + line_px
        effect_px = max((_text_px(effect.strip(), line_px) for _, _, effect in rows), default=0)
        width = key_px + effect_px + 2 * line_px
        height = round(line_px * (1.5 * len(rows) + 1.5))
        if (width <= max_w and height <= max_h) or line_px <= 9:
            break
        line_px -= 1
    box = _TextBox(min(width, max_w), min(height, max_h), line_px, opacity=_PANEL_OPACITY, corner_px=line_px // 2)
    for number, (key, _, effect) in enumerate(rows):
        middle = round(line_px * (1.5 * number + 1.5))
        box.write(key, line_px, middle, _AMBER_RGB)
        box.write(effect.strip(), line_px + key_px, middle, _TEXT_RGB)
    return box.layer()


@functools.lru_cache(maxsize=8)
def _font(line_px: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font; its capitals are about 0.6 of a line high."""
    font = ImageFont.load_default(0.85 * line_px)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _text_px(text: str, line_px: int) -> int:
    return math.ceil(_font(line_px).getlength(text))


def _gap_px(line_px: int) -> int:
    return round(line_px * 1.2)


def _wrapped(line: str, max_w: int, line_px: int) -> list[list[str]]:
    """Split a line's figures into rows; a figure wider than `max_w` is truncated."""
    rows: list[list[str]] = [[]]
    used_px = 0
    for figure in (_truncated(part.strip(), max_w, line_px) for part in line.split("   ") if part.strip()):
        figure_px = _text_px(figure, line_px)
        if rows[-1] and used_px + figure_px > max_w:
            rows.append([])
            used_px = 0
        rows[-1].append(figure)
        used_px += figure_px + _gap_px(line_px)
    return rows


def _truncated(text: str, max_w: int, line_px: int) -> str:
    if _text_px(text, line_px) <= max_w:
        return text
    while text and _text_px(text + "...", line_px) > max_w:
        text = text[:-1]
    return text + "..."


def _ascii(text: str) -> str:
    """Convert to what the font contains: accents are dropped, dashes and dots replaced, the rest becomes '?'."""
    decomposed = unicodedata.normalize("NFKD", text.translate(_REPLACEMENTS))
    return re.sub("[^ -~]", "?", "".join(c for c in decomposed if not unicodedata.combining(c)))
