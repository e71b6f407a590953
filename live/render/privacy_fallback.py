"""Pictures shown in place of a frame that must not be seen: a blur of it, or a card."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from engines import paths
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.pipeline.frame_pool import FramePool

_POOL = FramePool()
_PORTRAIT_PX = 560  # of the card's 720 pixels


def fallback_frame(frame: Frame, kind: str) -> Frame:
    """Return the frame with its picture replaced.

    Args:
        frame: is not modified.
        kind: "blur", "card", or "raw" for the frame itself.
    """
    if kind == "raw":
        return replace(frame, shown=kind)
    return replace(frame, bgr=blurred(frame.bgr) if kind == "blur" else card(frame.size_wh), coverage=1.0, shown=kind)


def blurred(frame_bgr: ImageU8) -> ImageU8:
    """Blur a frame until no face can be recognised: 16 pixels remain along its longer side.

    Args:
        frame_bgr: (H, W, 3) uint8 BGR.

    Returns:
        An array of the same shape, which shares no memory with the frame.
    """
    height, width = frame_bgr.shape[:2]
    longer = max(width, height)
    tiny_wh = max(2, 16 * width // longer), max(2, 16 * height // longer)
    tiny = cv2.resize(frame_bgr, tiny_wh, interpolation=cv2.INTER_AREA)
    small = cv2.resize(tiny, (max(2, width // 8), max(2, height // 8)), interpolation=cv2.INTER_CUBIC)
    smooth = cv2.GaussianBlur(small, (0, 0), 5)
    result = _POOL.take(frame_bgr.shape)
    cv2.resize(smooth, (width, height), dst=result, interpolation=cv2.INTER_LINEAR)
    return result


@functools.lru_cache(4)
def card(size_wh: tuple[int, int]) -> ImageU8:
    """Return the picture of the panic key: that of `veneer card`, or a struck-out lens, and the words "Camera paused".

    Args:
        size_wh: in pixels.

    Returns:
        (H, W, 3) uint8 BGR; shared by all calls with this size, so it must not be modified.
    """
    own = cv2.imread(str(own_card_file())) if own_card_file().is_file() else None
    return fit_into(card_with() if own is None else np.asarray(own, np.uint8), size_wh)


def own_card_file() -> Path:
    """Return the file of the card that the user chose, which may not exist."""
    return paths.data_dir() / "card.png"


def card_with(portrait_bgr: ImageU8 | None = None) -> ImageU8:
    """Draw a card of 1280x720: a portrait, (S, S, 3) uint8, or without one a struck-out lens, and the words."""
    width, height = 1280, 720
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    ground = (1 - ramp) * np.array([74, 58, 46], np.float32) + ramp * np.array([42, 32, 26], np.float32)
    picture = np.repeat(ground, width, axis=1).astype(np.uint8)
    light = (214, 205, 196)
    text_y = 500
    if portrait_bgr is None:
        cv2.circle(picture, (width // 2, 290), 92, light, 6, cv2.LINE_AA)
        cv2.circle(picture, (width // 2, 290), 40, light, 6, cv2.LINE_AA)
        cv2.line(picture, (width // 2 - 110, 400), (width // 2 + 110, 180), (58, 45, 36), 22, cv2.LINE_AA)
        cv2.line(picture, (width // 2 - 110, 400), (width // 2 + 110, 180), light, 6, cv2.LINE_AA)
    else:
        side, left, text_y = _PORTRAIT_PX, (width - _PORTRAIT_PX) // 2, 680
        large = cv2.resize(portrait_bgr, (side, side), interpolation=cv2.INTER_CUBIC)
        picture[40 : 40 + side, left : left + side] = large
    text, font, scale = "Camera paused", cv2.FONT_HERSHEY_DUPLEX, 1.5
    (text_w, _), _ = cv2.getTextSize(text, font, scale, 2)
    cv2.putText(picture, text, ((width - text_w) // 2, text_y), font, scale, light, 2, cv2.LINE_AA)
    return picture
