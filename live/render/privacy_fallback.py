"""What is shown instead of a painted frame: the held frame, a blur, a card, or the raw picture."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from engines.looks import Look
from engines.styles import Style
from live.control.controls import STRENGTH_STEP
from live.pipeline.frame import Frame, ImageU8, fit_into

LATE_S = 0.5  # so long without a new frame, and a stage is late; before that it may be a slow camera


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


def last_resort(look: Look) -> str:
    """What the look shows once there is nothing (left) to hold: "blur", "card" or "raw"."""
    return look.then if look.no_face == "hold" else look.no_face


def wanted_cover(look: Look, strength: float) -> float:
    """The least `Frame.cover` that may leave while this look is asked for at this strength.

    A strength below 1 is the wearer's own choice, and so is a look that is told to show the raw picture.
    """
    if last_resort(look) == "raw":
        return 0.0
    covering = (layer.strength for layer in look.layers if isinstance(layer.style, Style) and layer.style.covers)
    return strength * max(covering, default=0.0)


def hides_enough(frame: Frame, look: Look, strength: float) -> bool:
    """Whether the frame may leave while this look is asked for at this strength.

    One step of the strength key less is enough: frames that are on their way when the key is pressed, and a frozen
    picture, need not be blurred for it.
    """
    return frame.cover >= wanted_cover(look, strength - STRENGTH_STEP) - 1e-6


def stays_s(look: Look) -> float:
    """How long the look's last frame may be shown while no new one comes; infinity where it may stay."""
    if last_resort(look) == "raw":
        return float("inf")
    return max(look.hold_s, LATE_S) if look.no_face == "hold" else LATE_S


def covered(frame: Frame, look: Look) -> Frame:
    """The frame under the look's last resort, made of its own picture."""
    resort = last_resort(look)
    if resort == "raw":
        return frame
    picture = blurred(frame.bgr) if resort == "blur" else card(frame.size_wh)
    return replace(frame, bgr=picture, cover=1.0)


class PrivacyFallback:
    """Remembers the last painted frame and applies the look's own rule where no face was painted."""

    def __init__(self) -> None:
        self._painted: Frame | None = None
        self._painted_look = ""
        self._painted_s = float("-inf")

    def painted(self, frame: Frame, look: Look, at_s: float) -> None:
        """A frame was painted; its array is kept, so nobody may change it afterwards."""
        self._painted, self._painted_look, self._painted_s = frame, look.name, at_s

    def over(self, frame: Frame, look: Look, at_s: float, *, strength: float = 1.0) -> Frame:
        """What the look shows for a frame that could not be painted.

        A frame is held that was painted for the same look, at the same size, and hides as much as is asked for now.
        """
        held = self._painted
        if look.no_face == "hold" and held is not None and held.size_wh == frame.size_wh:
            fresh = 0.0 <= at_s - self._painted_s <= look.hold_s
            if fresh and self._painted_look == look.name and hides_enough(held, look, strength):
                return replace(frame, bgr=held.bgr, cover=held.cover)
        return covered(frame, look)

    def instead(self, frame_bgr: ImageU8, look: Look, at_s: float) -> ImageU8:
        """The same for a picture on its own."""
        return self.over(Frame(frame_bgr, 0, at_s), look, at_s).bgr
