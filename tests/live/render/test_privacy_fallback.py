"""The fallbacks of frames that were not painted."""

from __future__ import annotations

import numpy as np
import pytest

from engines.looks import Look
from live.pipeline.frame import Frame, ImageU8
from live.render.look_loader import LoadedLook
from live.render.look_tile import find_faces
from live.render.privacy_fallback import blurred, card
from live.render.privacy_policy import PrivacyPolicy, max_age_s


def _frame(value: int, at_s: float, width: int = 64) -> Frame:
    return Frame(np.full((48, width, 3), value, np.uint8), 0, at_s)


def _shown(policy: PrivacyPolicy, frame: Frame, look: Look) -> ImageU8:
    """What is shown for a frame that could not be painted."""
    return policy.after_painting(frame, LoadedLook(look, ()), 1.0, bare_faces=None).bgr


def test_raw_shows_the_frame_itself() -> None:
    frame = _frame(7, 0.0)
    assert _shown(PrivacyPolicy(), frame, Look("a", "", (), "raw")) is frame.bgr


def test_hold_shows_the_last_painted_frame_then_the_next() -> None:
    policy, look = PrivacyPolicy(), Look("a", "", (), "hold", 0.5, "card")
    assert np.array_equal(_shown(policy, _frame(2, 9.0), look), card((64, 48))), "there is no frame to hold yet"
    painted = policy.after_painting(_frame(1, 10.0), LoadedLook(look, ()), 1.0, bare_faces=0)
    assert _shown(policy, _frame(2, 10.4), look) is painted.bgr
    assert np.array_equal(_shown(policy, _frame(2, 10.6), look), card((64, 48)))


def test_a_frame_of_another_look_or_size_is_not_held() -> None:
    policy = PrivacyPolicy()
    one, other = Look("one", "", (), "hold", 9.0, "card"), Look("other", "", (), "hold", 9.0, "card")
    policy.after_painting(_frame(1, 0.0), LoadedLook(one, ()), 1.0, bare_faces=0)
    assert np.array_equal(_shown(policy, _frame(2, 0.1), other), card((64, 48)))
    assert np.array_equal(_shown(policy, _frame(0, 0.1, width=80), one), card((80, 48)))


def test_no_face_is_found_on_a_blurred_frame(portrait_bgr: ImageU8) -> None:
    soft = blurred(portrait_bgr)
    assert soft.shape == portrait_bgr.shape
    assert find_faces(portrait_bgr)
    assert not find_faces(soft)


def test_blur_reuses_the_memory_of_the_last_one(portrait_bgr: ImageU8) -> None:
    address = blurred(portrait_bgr).ctypes.data
    held = blurred(portrait_bgr)
    assert held.ctypes.data == address and blurred(portrait_bgr).ctypes.data != address


@pytest.mark.parametrize("size_wh", [(1, 1), (64, 48), (1280, 720), (720, 1280), (3, 200)])
def test_card_and_blur_in_every_size(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    assert card(size_wh).shape == (height, width, 3)
    assert blurred(np.zeros((height, width, 3), np.uint8)).shape == (height, width, 3)


@pytest.mark.parametrize(
    ("no_face", "hold_s", "then", "stays"),
    [
        ("hold", 0.5, "blur", 0.5),
        ("hold", 2.0, "card", 2.0),
        ("hold", 0.0, "blur", 0.5),  # a camera at 15 frames per second, repeated at 30, must not flicker
        ("blur", 9.0, "blur", 0.5),
        ("hold", 0.5, "raw", float("inf")),
        ("raw", 0.5, "blur", float("inf")),
    ],
)
def test_time_limit_of_a_repeated_picture(no_face: str, hold_s: float, then: str, stays: float) -> None:
    assert max_age_s(Look("a", "", (), no_face, hold_s, then)) == stays
