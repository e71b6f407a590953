"""What is shown where no face was painted."""

from __future__ import annotations

import numpy as np
import pytest

from engines.looks import Look
from live.pipeline.frame import Frame, ImageU8
from live.render.look_sheet import find_faces
from live.render.privacy_fallback import PrivacyFallback, blurred, card, stays_s


def ground(value: int) -> ImageU8:
    return np.full((48, 64, 3), value, np.uint8)


def test_raw_shows_the_frame_itself() -> None:
    frame = ground(7)
    assert PrivacyFallback().instead(frame, Look("a", "", (), "raw"), 0.0) is frame


def test_hold_shows_the_last_painted_frame_then_what_follows() -> None:
    cover, look = PrivacyFallback(), Look("a", "", (), "hold", 0.5, "card")
    painted, bare = ground(1), ground(2)
    assert np.array_equal(cover.instead(bare, look, 9.0), card((64, 48))), "nothing to hold yet"
    cover.painted(Frame(painted, 0, 10.0), look, 10.0)
    assert cover.instead(bare, look, 10.4) is painted
    assert np.array_equal(cover.instead(bare, look, 10.6), card((64, 48)))


def test_a_frame_of_another_look_or_size_is_not_held() -> None:
    cover = PrivacyFallback()
    one, other = Look("one", "", (), "hold", 9.0, "card"), Look("other", "", (), "hold", 9.0, "card")
    cover.painted(Frame(ground(1), 0, 0.0), one, 0.0)
    assert np.array_equal(cover.instead(ground(2), other, 0.1), card((64, 48)))
    wide = np.zeros((48, 80, 3), np.uint8)
    assert np.array_equal(cover.instead(wide, one, 0.1), card((80, 48)))


def test_nobody_is_found_on_a_blurred_frame(portrait_bgr: ImageU8) -> None:
    soft = blurred(portrait_bgr)
    assert soft.shape == portrait_bgr.shape
    assert find_faces(portrait_bgr)
    assert not find_faces(soft)


@pytest.mark.parametrize("size_wh", [(1, 1), (64, 48), (1280, 720), (720, 1280), (3, 200)])
def test_card_and_blur_come_in_every_size(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    assert card(size_wh).shape == (height, width, 3)
    assert blurred(np.zeros((height, width, 3), np.uint8)).shape == (height, width, 3)


@pytest.mark.parametrize(
    ("no_face", "hold_s", "then", "stays"),
    [
        ("hold", 0.5, "blur", 0.5),
        ("hold", 2.0, "card", 2.0),
        ("hold", 0.0, "blur", 0.5),  # a camera of 15 frames a second, sent on at 30, must not flicker
        ("blur", 9.0, "blur", 0.5),
        ("hold", 0.5, "raw", float("inf")),
        ("raw", 0.5, "blur", float("inf")),
    ],
)
def test_how_long_a_picture_stays_while_a_stage_is_late(no_face: str, hold_s: float, then: str, stays: float) -> None:
    assert stays_s(Look("a", "", (), no_face, hold_s, then)) == stays
