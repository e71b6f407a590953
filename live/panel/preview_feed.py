"""Small JPEG pictures of the output for the page, encoded outside the frame path and only on request.

The rendering thread leaves a reference to its newest frame. An encoder thread of low priority applies the policy's gate
to it, as the sender of a sink does, makes it small and encodes it. Without a visible page nothing is done.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import cv2

from live.control.controls import Controls, ControlState
from live.pipeline.frame import Frame, ImageU8
from live.render.privacy_fallback import blurred, fallback_frame
from live.render.privacy_policy import PrivacyPolicy

WIDTH_PX, MAX_FPS, _QUALITY = 640, 15.0, 80
_KEPT_CAPTURES = 6  # more than the frames between the painter and the encoder
_WAIT_S = 0.25
_SHARE = 1 / 16  # of the time that the encoder may take; on a busy machine the preview has fewer pictures
_MAX_INTERVAL_S = 0.25
_NICE = 10


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture for the page.

    Attributes:
        number: Counts up.
        after: JPEG of what viewers see.
        before: JPEG of the frame as captured, blurred unless it may be shown; empty without the split line.
        blurred: Whether `before` is blurred.
        captured_s: Of the frame, in monotonic seconds.
        look: Name of the look that was painted.
    """

    number: int
    after: bytes
    before: bytes
    blurred: bool
    captured_s: float
    look: str


class PreviewFeed:
    """Encodes pictures while they are wanted.

    Args:
        policy: That of the run.
        controls: Those of the run.
        on_picture: Called in the encoder thread with each picture.
    """

    def __init__(self, policy: PrivacyPolicy, controls: Controls, on_picture: Callable[[Picture], None]) -> None:
        self._policy, self._controls, self._on_picture = policy, controls, on_picture
        self._changed = threading.Condition()
        self._wanted = self._split = self._closing = False
        self._hungry = False  # the encoder waits for the next frame
        self._interval_s = 1 / MAX_FPS
        self._newest: Frame | None = None
        self._shown_since_s = 0.0
        self._captures: deque[tuple[int, ImageU8]] = deque(maxlen=_KEPT_CAPTURES)
        self._last: tuple[int, str | None, bool] = (-1, None, False)
        self._encoded_s, self._encoded_kind, self._number = float("-inf"), ("", "", 0.0), 0
        self._active = False
        self._thread = threading.Thread(target=self._loop, name="panel preview", daemon=True)

    def start(self) -> None:
        """Start the encoder thread, which sleeps until a picture is wanted."""
        self._thread.start()

    def close(self) -> None:
        """End the thread; idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(1.0)

    def set_active(self, active: bool) -> None:
        """Say whether any page is open; without one no frame is kept."""
        with self._changed:
            self._active = active
            if not active:
                self._newest, self._wanted, self._split = None, False, False
                self._captures.clear()

    def want(self, *, split: bool) -> None:
        """Request the next picture; with `split` also the frame as captured."""
        with self._changed:
            self._wanted, self._split = True, split
            self._changed.notify_all()

    def keep_capture(self, frame: Frame) -> None:
        """Keep a small copy of the captured frame for the split line; called by the rendering thread."""
        if self._active and self._split:
            self._captures.append((frame.frame_id, small(frame.bgr)))

    def keep_output(self, frame: Frame) -> None:
        """Keep a reference to the rendered frame; called in the rendering thread."""
        if not self._active:
            return
        with self._changed:
            if self._newest is None or frame.bgr is not self._newest.bgr:
                self._shown_since_s = time.monotonic()
            self._newest = frame
            if self._hungry or (self._wanted and _kind_of(frame) != self._encoded_kind):
                self._changed.notify_all()  # otherwise the encoder would wake at every frame

    def _loop(self) -> None:
        with contextlib.suppress(OSError, AttributeError):  # only Linux has priorities of threads
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            frame = self._next_frame()
            if frame is None:
                return
            started_s = time.monotonic()
            picture = self._encode(frame)
            if picture is None:
                time.sleep(1 / MAX_FPS)  # the same picture again
                continue
            with self._changed:
                self._wanted = False
                self._encoded_s, self._encoded_kind = time.monotonic(), _kind_of(frame)
                self._interval_s = min(_MAX_INTERVAL_S, max(1 / MAX_FPS, (self._encoded_s - started_s) / _SHARE))
            self._on_picture(picture)

    def _next_frame(self) -> Frame | None:
        """Wait until a picture is wanted, due and there; None at the end. The first one of a look is due at once."""
        with self._changed:
            while not self._closing:
                early_s = self._encoded_s + self._interval_s - time.monotonic()
                if not self._wanted:
                    self._changed.wait()
                elif self._newest is None:
                    self._wait_for_frame(None)
                elif early_s > 0 and _kind_of(self._newest) == self._encoded_kind:
                    self._changed.wait(early_s)
                elif self._newest.frame_id != self._last[0] or not self._wait_for_frame(_WAIT_S):
                    return self._newest
        return None

    def _wait_for_frame(self, timeout_s: float | None) -> bool:
        """Wait for the next frame with the lock held; return whether something came."""
        self._hungry = True
        try:
            return self._changed.wait(timeout_s)
        finally:
            self._hungry = False

    def _encode(self, frame: Frame) -> Picture | None:
        """Return the picture of a frame; None if it would be the same as the last one."""
        state, shown_s = self._controls.read(), time.monotonic() - self._shown_since_s
        kind = self._policy.output_fallback(frame, state, shown_s=shown_s)
        split = self._split
        last, self._last = self._last, (frame.frame_id, kind, split)
        if self._last == last or (kind == "card" and last[1:] == (kind, split)):
            return None
        output = Frame(small(frame.bgr), frame.frame_id, frame.captured_s, shown=frame.shown, look=frame.look)
        if kind is not None:
            output = fallback_frame(output, kind)
        before, hidden = self._before(frame, state, kind) if split else (None, False)
        self._number += 1
        encoded = b"" if before is None else _jpeg(before)
        return Picture(self._number, _jpeg(output.bgr), encoded, hidden, frame.captured_s, output.look)

    def _before(self, frame: Frame, state: ControlState, kind: str | None) -> tuple[ImageU8 | None, bool]:
        """Return the captured frame, and whether it is blurred, which a covering look requires without `bare`."""
        captured = next((one for number, one in reversed(tuple(self._captures)) if number == frame.frame_id), None)
        if captured is None:
            return None, False
        look = self._controls.look_of(state)
        hidden = look is None or (look.covers and not state.bare_side) or kind == "card"
        if state.mirror:
            captured = cv2.flip(captured, 1)  # type: ignore[assignment]
        assert captured is not None
        return (blurred(captured), True) if hidden else (captured, False)


def _kind_of(frame: Frame) -> tuple[str, str, float]:
    """What a command changes: the first frame that shows the change does not wait for its turn."""
    return frame.look, frame.shown, frame.coverage


def small(frame_bgr: ImageU8) -> ImageU8:
    """Return a copy, at most 640 pixels wide."""
    height, width = frame_bgr.shape[:2]
    if width <= WIDTH_PX:
        return frame_bgr.copy()
    size_wh = WIDTH_PX, max(2, round(height * WIDTH_PX / width))
    return cv2.resize(frame_bgr, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _jpeg(picture_bgr: ImageU8) -> bytes:
    _, data = cv2.imencode(".jpg", picture_bgr, (cv2.IMWRITE_JPEG_QUALITY, _QUALITY))
    return data.tobytes()
