"""What is shown instead of a painted frame: the held frame, a blur, a card, or the raw picture."""

from __future__ import annotations

import cv2
import numpy as np

from engines.looks import Look
from live.frame import ImageU8, fit_into


def blurred(frame_bgr: ImageU8) -> ImageU8:
    """The whole frame so soft that nobody can be recognised: a few dozen colours melted into each other."""
    height, width = frame_bgr.shape[:2]
    tiny = cv2.resize(frame_bgr, (max(2, 16 * width // max(width, height)), max(2, 16 * height // max(width, height))),
                      interpolation=cv2.INTER_AREA)  # fmt: skip
    small = cv2.GaussianBlur(
        cv2.resize(tiny, (max(2, width // 8), max(2, height // 8)), interpolation=cv2.INTER_CUBIC), (0, 0), 5
    )
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def card(size_wh: tuple[int, int]) -> ImageU8:
    """The still picture of the panic key: a calm ground, a closed lens, and a line of text."""
    width, height = 1280, 720
    ramp = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    ground = (1 - ramp) * np.array([74, 58, 46], np.float32) + ramp * np.array([42, 32, 26], np.float32)
    picture = np.repeat(ground, width, axis=1).astype(np.uint8)
    light = (214, 205, 196)
    cv2.circle(picture, (width // 2, 290), 92, light, 6, cv2.LINE_AA)
    cv2.circle(picture, (width // 2, 290), 40, light, 6, cv2.LINE_AA)
    cv2.line(picture, (width // 2 - 110, 400), (width // 2 + 110, 180), (58, 45, 36), 22, cv2.LINE_AA)
    cv2.line(picture, (width // 2 - 110, 400), (width // 2 + 110, 180), light, 6, cv2.LINE_AA)
    text, font, scale = "Camera paused", cv2.FONT_HERSHEY_DUPLEX, 1.5
    (text_w, _), _ = cv2.getTextSize(text, font, scale, 2)
    cv2.putText(picture, text, ((width - text_w) // 2, 500), font, scale, light, 2, cv2.LINE_AA)
    return fit_into(picture, size_wh)


class Cover:
    """Remembers the last painted frame and applies the look's own rule where no face was painted."""

    def __init__(self) -> None:
        self._painted_bgr: ImageU8 | None = None
        self._painted_look = ""
        self._painted_s = float("-inf")

    def painted(self, frame_bgr: ImageU8, look: Look, at_s: float) -> None:
        """A frame was painted; the array is kept, so nobody may change it afterwards."""
        self._painted_bgr, self._painted_look, self._painted_s = frame_bgr, look.name, at_s

    def instead(self, frame_bgr: ImageU8, look: Look, at_s: float) -> ImageU8:
        """What the look shows for a frame that could not be painted."""
        rule = look.no_face
        if rule == "hold":
            fresh = at_s - self._painted_s <= look.hold_s
            fits = self._painted_bgr is not None and self._painted_bgr.shape == frame_bgr.shape
            if fresh and fits and self._painted_look == look.name:
                assert self._painted_bgr is not None
                return self._painted_bgr
            rule = look.then
        if rule == "blur":
            return blurred(frame_bgr)
        if rule == "card":
            return card((frame_bgr.shape[1], frame_bgr.shape[0]))
        return frame_bgr
