"""The figures on the preview window: a strip in the corner, a banner below it, the help in the middle."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import ImageU8

_FONT = cv2.FONT_HERSHEY_DUPLEX
_STRIP_COVER, _PANEL_COVER = 0.7, 0.8  # how much of the picture the dark takes away
_DARK_BGR = (26, 22, 20)
_TEXT_BGR = (240, 240, 240)
_QUIET_BGR = (205, 205, 205)
_RED_BGR = (60, 60, 235)
_AMBER_BGR = (80, 190, 250)

_WRITABLE = str.maketrans(
    {
        "\N{EN DASH}": "-",
        "\N{EM DASH}": "-",
        "\N{MIDDLE DOT}": "-",
        "\N{HORIZONTAL ELLIPSIS}": "...",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{MULTIPLICATION SIGN}": "x",
        "\t": "   ",
    }
)

Color = tuple[int, int, int]
Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What is laid over a box of the picture: (H, W, 3) BGR times its cover, and (H, W, 1) of the picture that stays."""


@dataclass(frozen=True, slots=True)
class MeterText:
    """What the preview window says.

    Attributes:
        lines: the strip's lines; three spaces or more part the figures of a line.
        help_lines: shown in the middle, "KEY  what it does" each; empty while help is off.
        banner: a short word about the state ("recording", "frozen"); a red dot goes before one that records.
    """

    lines: tuple[str, ...]
    help_lines: tuple[str, ...] = ()
    banner: str = ""


def draw_meter(frame_bgr: ImageU8, text: MeterText) -> None:
    """Draw onto the picture, in place.

    Sizes follow the picture: a line is about 1/36 of its height, never below what can be read.

    Args:
        frame_bgr: (H, W, 3) uint8. Pictures too small for any text stay as they are.
        text: what to say.
    """
    height, width = frame_bgr.shape[:2]
    line_px = int(min(max(14.0, height / 36), 48.0))
    if width < 8 * line_px or height < 3 * line_px:
        return
    strip_px, below_px = 0, 0
    if text.lines:
        strip = _strip(text.lines, width, line_px)
        below_px, strip_px = strip[0].shape[:2]
        _lay(frame_bgr, strip, 0, 0)
    if text.help_lines and height - below_px >= 4 * line_px:
        panel = _panel(text.help_lines, width - line_px, height - below_px - line_px, line_px)
        panel_h, panel_w = panel[0].shape[:2]
        _lay(frame_bgr, panel, (width - panel_w) // 2, max(below_px, (height - panel_h) // 2))
    if text.banner:
        banner = _banner(text.banner, width - line_px, line_px)
        left = width - banner[0].shape[1] - line_px // 2
        _lay(frame_bgr, banner, left, line_px // 2 + (0 if left > strip_px else below_px))


def _lay(frame_bgr: ImageU8, layer: Layer, left: int, top: int) -> None:
    """Blend a layer in; what hangs over the picture's edge is cut off."""
    cover, keep = layer
    box = frame_bgr[top : top + cover.shape[0], left : left + cover.shape[1]]
    height, width = box.shape[:2]
    if box.size:
        box[:] = cv2.add(
            cv2.multiply(box, keep[:height, :width], dtype=cv2.CV_32F), cover[:height, :width], dtype=cv2.CV_8U
        )


class _Sheet:
    """A dark box that is written on, several times larger than it will be shown."""

    def __init__(self, width: int, height: int, line_px: int, *, cover: float, corner_px: int = 0) -> None:
        self.size_wh, self.line_px, self._fine = (width, height), line_px, _fine(line_px)
        fine = self._fine
        self._ink = np.full((height * fine, width * fine, 3), _DARK_BGR, np.uint8)
        self._cover = np.zeros((height * fine, width * fine), np.uint8)
        level, corner = (round(cover * 255),), corner_px * fine
        right, bottom = width * fine, height * fine
        cv2.rectangle(self._cover, (corner, 0), (right - corner - 1, bottom), level, -1)
        cv2.rectangle(self._cover, (0, corner), (right, bottom - corner - 1), level, -1)
        for x in (corner, right - corner - 1) if corner else ():
            for y in (corner, bottom - corner - 1):
                cv2.circle(self._cover, (x, y), corner, level, -1)

    def write(self, words: str, left: int, middle: int, color: Color) -> None:
        scale, thick = _font(self.line_px * self._fine)
        baseline = middle * self._fine + round(self.line_px * self._fine * 0.30)
        spot = (left * self._fine, baseline)
        cv2.putText(self._ink, words, spot, _FONT, scale, color, thick, cv2.LINE_AA)
        cv2.putText(self._cover, words, spot, _FONT, scale, (255,), thick, cv2.LINE_AA)

    def dot(self, x: int, y: int, radius: float, color: Color) -> None:
        spot = (x * self._fine, y * self._fine)
        cv2.circle(self._ink, spot, round(radius * self._fine), color, -1, cv2.LINE_AA)
        cv2.circle(self._cover, spot, round(radius * self._fine), (255,), -1, cv2.LINE_AA)

    def layer(self) -> Layer:
        ink = cv2.resize(self._ink, self.size_wh, interpolation=cv2.INTER_AREA).astype(np.float32)
        cover = cv2.resize(self._cover, self.size_wh, interpolation=cv2.INTER_AREA).astype(np.float32)[:, :, None] / 255
        return ink * cover, np.repeat(1 - cover, 3, axis=2)


@functools.lru_cache(maxsize=8)
def _strip(lines: tuple[str, ...], width: int, line_px: int) -> Layer:
    rows = [row for line in lines for row in _wrapped(_plain(line), width - line_px, line_px)]
    needs_px = max(line_px, *(sum(_width(figure, line_px) + _gap(line_px) for figure in row) for row in rows))
    sheet = _Sheet(min(width, needs_px), round(line_px * (1.5 * len(rows) + 0.5)), line_px, cover=_STRIP_COVER)
    for number, row in enumerate(rows):
        middle = round(line_px * (1.5 * number + 1.0))
        left = line_px // 2
        for figure in row:
            sheet.write(figure, left, middle, _TEXT_BGR if number == 0 else _QUIET_BGR)
            left += _width(figure, line_px) + _gap(line_px)
    return sheet.layer()


@functools.lru_cache(maxsize=8)
def _banner(words: str, room_px: int, line_px: int) -> Layer:
    words, is_recording = _cut(_plain(words), room_px - 3 * line_px, line_px), "recording" in words.lower()
    dot_px = round(line_px * 1.2) if is_recording else 0
    sheet = _Sheet(
        _width(words, line_px) + line_px + dot_px, line_px * 2, line_px, cover=_PANEL_COVER, corner_px=line_px // 2
    )
    if is_recording:
        sheet.dot(line_px, line_px, line_px * 0.38, _RED_BGR)
    sheet.write(words, line_px // 2 + dot_px, line_px, _TEXT_BGR if is_recording else _AMBER_BGR)
    return sheet.layer()


@functools.lru_cache(maxsize=4)
def _panel(lines: tuple[str, ...], room_w: int, room_h: int, line_px: int) -> Layer:
    """The help: keys in one column, what they do in the next; smaller where the picture has no room for it."""
    rows = [_plain(line).partition("  ") for line in lines]
    while True:
        key_px = max((_width(key, line_px) for key, _, _ in rows), default=0) + line_px
        width = key_px + max((_width(does.strip(), line_px) for _, _, does in rows), default=0) + 2 * line_px
        height = round(line_px * (1.5 * len(rows) + 1.5))
        if (width <= room_w and height <= room_h) or line_px <= 9:
            break
        line_px -= 1
    sheet = _Sheet(min(width, room_w), min(height, room_h), line_px, cover=_PANEL_COVER, corner_px=line_px // 2)
    for number, (key, _, does) in enumerate(rows):
        middle = round(line_px * (1.5 * number + 1.5))
        sheet.write(key, line_px, middle, _AMBER_BGR)
        sheet.write(does.strip(), line_px + key_px, middle, _TEXT_BGR)
    return sheet.layer()


def _font(line_px: int) -> tuple[float, int]:
    """Scale and stroke of the font whose capitals are 0.6 of a line high."""
    return cv2.getFontScaleFromHeight(_FONT, max(1, round(line_px * 0.6)), 1), max(1, round(line_px / 14))


def _fine(line_px: int) -> int:
    """How many times larger text is drawn before it is brought down: OpenCV's line fonts need it to look smooth."""
    return 3 if line_px < 24 else 2


def _width(words: str, line_px: int) -> int:
    fine = _fine(line_px)
    scale, thick = _font(line_px * fine)
    return -(-cv2.getTextSize(words, _FONT, scale, thick)[0][0] // fine)


def _gap(line_px: int) -> int:
    return round(line_px * 1.2)


def _wrapped(line: str, room_px: int, line_px: int) -> list[list[str]]:
    """A line's figures, on as many rows as they need; a figure wider than the picture is cut."""
    rows: list[list[str]] = [[]]
    used_px = 0
    for figure in (_cut(part.strip(), room_px, line_px) for part in line.split("   ") if part.strip()):
        needs_px = _width(figure, line_px)
        if rows[-1] and used_px + needs_px > room_px:
            rows.append([])
            used_px = 0
        rows[-1].append(figure)
        used_px += needs_px + _gap(line_px)
    return rows


def _cut(words: str, room_px: int, line_px: int) -> str:
    if _width(words, line_px) <= room_px:
        return words
    while words and _width(words + "...", line_px) > room_px:
        words = words[:-1]
    return words + "..."


def _plain(words: str) -> str:
    """What OpenCV's line fonts can write: accents dropped, dashes and dots replaced, the rest as question marks."""
    flat = unicodedata.normalize("NFKD", words.translate(_WRITABLE))
    return "".join(sign for sign in flat if not unicodedata.combining(sign)).encode("ascii", "replace").decode("ascii")
