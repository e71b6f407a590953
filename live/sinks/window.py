"""The preview window: the finished picture with the meter on it, and the keys."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np

from engines.errors import SinkError
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.sinks.base import FrameSink
from live.sinks.display import check_screen, quieten_qt
from live.sinks.preview_meter import MeterText, draw_meter

PUMP_EVERY_S = 0.012  # handling the window's events costs OpenCV 2 to 3 ms, however little there is to do
FIGURES_EVERY_S = 0.25  # figures that change faster cannot be read, and cost time to draw
LEAST_WH, MOST_WH = (640, 360), (1920, 1080)
FIRST_WH = (1280, 720)
_KEY_NAMES = {27: "esc"}


class WindowSink(FrameSink):
    """Shows frames in a window. All calls come from the process's main thread.

    A key is told by its name ("1", "[", "m", "esc"; letters in lower case), the window's close button as "q". Of
    several keys pressed within one `pump` interval OpenCV reports the last one only.
    """

    live = True
    main_thread = True
    name = "window"

    def __init__(self, *, title: str = "Veneer", on_key: Callable[[str], None], meter: Callable[[], MeterText]) -> None:
        """Nothing is shown yet.

        Args:
            title: of the window; also its name for OpenCV.
            on_key: called from `send` and `pump` with each key.
            meter: asked at every frame for what to write on it.
        """
        self._title, self._on_key, self._meter = title, on_key, meter
        self._is_open = False
        self._pumped_s = self._figures_s = float("-inf")
        self._text = MeterText(())

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Open the window, at the frame's size or as much of it as fits most screens.

        Raises:
            SinkError: there is no screen.
        """
        check_screen()
        quieten_qt()
        try:
            cv2.namedWindow(self._title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
            cv2.resizeWindow(self._title, *_within(size_wh, LEAST_WH, FIRST_WH))
        except cv2.error as failure:
            raise _refusal(failure) from None
        self._is_open = True

    def send(self, frame: Frame) -> None:
        """Show one frame and take the keys. After the window was closed by hand, nothing is shown.

        Raises:
            SinkError: OpenCV cannot show it.
        """
        if not self._is_open:
            return
        shown_bgr = _shown(frame.bgr)
        draw_meter(shown_bgr, self._current_text())
        try:
            cv2.imshow(self._title, shown_bgr)
        except cv2.error as failure:
            raise _refusal(failure) from None
        self.pump()

    def pump(self) -> None:
        """Let the window paint itself and take the keys, without a new frame; cheap to call often."""
        now_s = time.monotonic()
        if not self._is_open or now_s - self._pumped_s < PUMP_EVERY_S:
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
            cv2.pollKey()  # the window system takes it off the screen while it handles events
        except cv2.error:
            return  # it is gone already

    def _current_text(self) -> MeterText:
        """What the meter says, its first line (the figures) only a few times a second."""
        text, now_s = self._meter(), time.monotonic()
        is_same = (text.lines[1:], text.help_lines, text.banner) == (
            self._text.lines[1:],
            self._text.help_lines,
            self._text.banner,
        )
        if not is_same or now_s - self._figures_s >= FIGURES_EVERY_S:
            self._text, self._figures_s = text, now_s
        return self._text


def key_name(code: int) -> str | None:
    """OpenCV's key code as a key's name; None for no key and for those without a character (arrows, F1, ...).

    The upper bits say which of Shift, Control or Num Lock is down.
    """
    sign = code & 0xFFFF
    if code < 0 or not (32 < sign < 127 or sign in _KEY_NAMES):
        return None
    return _KEY_NAMES.get(sign, chr(sign).lower())


def _shown(frame_bgr: ImageU8) -> ImageU8:
    """A copy to draw on: tiny frames grown so that the meter can be read, huge ones brought down to what is seen."""
    size_wh = frame_bgr.shape[1], frame_bgr.shape[0]
    shown_bgr = fit_into(frame_bgr, _within(size_wh, LEAST_WH, MOST_WH))
    return np.array(shown_bgr) if shown_bgr is frame_bgr else shown_bgr


def _within(size_wh: tuple[int, int], least_wh: tuple[int, int], most_wh: tuple[int, int]) -> tuple[int, int]:
    """The size scaled evenly: at most the second box; where it is smaller than the first box in both ways, up to it."""
    width, height = size_wh
    grow = min(least_wh[0] / width, least_wh[1] / height)
    shrink = min(most_wh[0] / width, most_wh[1] / height)
    scale = max(1.0, grow) if shrink >= 1 else shrink
    return max(1, round(width * scale)), max(1, round(height * scale))


def _refusal(failure: cv2.error) -> SinkError:
    got = f"OpenCV has no window here ({' '.join(str(failure).split())[:120]})"
    do = "remove opencv-python-headless if it is installed: pip install --force-reinstall opencv-contrib-python"
    return SinkError("preview window", got, do)
