"""The preview window: the output frame with the meter drawn on it, and keyboard input."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from engines.errors import SinkError
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.sinks.base import FrameSink
from live.sinks.display import check_screen, silence_qt
from live.sinks.preview_meter import MeterText, draw_meter

PUMP_INTERVAL_S = 0.012  # OpenCV's event handling takes 2 to 3 ms even without events
FIGURES_INTERVAL_S = 0.25  # figures that change faster are unreadable and cost drawing time
MIN_SIZE_WH, MAX_SIZE_WH = (640, 360), (1920, 1080)
INITIAL_SIZE_WH = (1280, 720)
_ESCAPE = 27


class WindowSink(FrameSink):
    """Shows frames in a window. All calls must come from the main thread of the process.

    Keys are reported by name ("1", "[", "m", "esc"; letters in lower case), the window's close button as "q". If
    several keys are pressed within one `pump` interval, OpenCV reports only the last.
    """

    live = True
    main_thread = True
    name = "window"

    def __init__(self, *, title: str = "Veneer", on_key: Callable[[str], None], meter: Callable[[], MeterText]) -> None:
        """Create the sink.

        Args:
            title: Title of the window, and its name in OpenCV.
            on_key: Called from `send` and `pump` with each key.
            meter: Returns the text to draw on a frame.
        """
        self._title, self._on_key, self._meter = title, on_key, meter
        self._is_open = False
        self._pumped_s = self._figures_s = float("-inf")
        self._text = MeterText(())

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Open the window, at the frame's size within limits that fit most screens."""
        check_screen()
        silence_qt()
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self._title, *_scaled_into(size_wh, MIN_SIZE_WH, INITIAL_SIZE_WH))
        except cv2.error as error:
            raise _window_error(error) from None
        self._is_open = True

    def send(self, frame: Frame) -> None:
        """Show one frame and handle keys; does nothing once the user has closed the window."""
        if not self._is_open:
            return
        preview_bgr = _preview(frame.bgr)
        draw_meter(preview_bgr, self._current_text())
        try:
            cv2.imshow(self._title, preview_bgr)
        except cv2.error as error:
            raise _window_error(error) from None
        self.pump()

    def pump(self) -> None:
        """Handle window events and keys without a new frame; may be called often."""
        now_s = time.monotonic()
        if not self._is_open or now_s - self._pumped_s < PUMP_INTERVAL_S:
            return
        key = key_name(cv2.pollKey())
        self._pumped_s = time.monotonic()
        if key is not None:
            self._on_key(key)
        if self._is_open and cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1:
            self._is_open = False
            self._on_key("q")

    def close(self) -> None:
        """Close the window; idempotent."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            cv2.destroyWindow(self._title)
            cv2.pollKey()  # the window disappears while events are handled
        except cv2.error:
            return  # already closed

    def _current_text(self) -> MeterText:
        """Return the meter's text; its first line (the figures) changes only a few times a second."""
        text, now_s = self._meter(), time.monotonic()
        is_unchanged = replace(text, lines=text.lines[1:]) == replace(self._text, lines=self._text.lines[1:])
        if not is_unchanged or now_s - self._figures_s >= FIGURES_INTERVAL_S:
            self._text, self._figures_s = text, now_s
        return self._text


def key_name(code: int) -> str | None:
    """Return the name of an OpenCV key code; None for no key and for keys without a character (arrows, F1, ...).

    The upper 16 bits hold the state of Shift, Control and Num Lock.
    """
    character = code & 0xFFFF
    if code >= 0 and character == _ESCAPE:
        return "esc"
    return chr(character).lower() if code >= 0 and 32 < character < 127 else None


def _preview(frame_bgr: ImageU8) -> ImageU8:
    """Return a copy to draw on: small frames enlarged so that the meter is readable, large ones reduced."""
    size_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    preview_bgr = fit_into(frame_bgr, _scaled_into(size_wh, MIN_SIZE_WH, MAX_SIZE_WH))
    return np.array(preview_bgr) if preview_bgr is frame_bgr else preview_bgr


def _scaled_into(size_wh: tuple[int, int], min_wh: tuple[int, int], max_wh: tuple[int, int]) -> tuple[int, int]:
    """Scale a size uniformly: reduce it to fit `max_wh`; if both sides are below `min_wh`, enlarge it to fit that."""
    width, height = size_wh
    grow = min(min_wh[0] / width, min_wh[1] / height)
    shrink = min(max_wh[0] / width, max_wh[1] / height)
    scale = max(1.0, grow) if shrink >= 1 else shrink
    return max(1, round(width * scale)), max(1, round(height * scale))


def _window_error(error: cv2.error) -> SinkError:
    got = f"OpenCV has no window here ({' '.join(str(error).split())[:120]})"
    do = "remove opencv-python-headless if it is installed: pip install --force-reinstall opencv-contrib-python"
    return SinkError("preview window", got, do)
