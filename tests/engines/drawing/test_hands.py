"""Hands before the built-in portrait as they are drawn: what is below them disappears, and fingers get contours."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from support.drawn_portrait import lab
from support.hand_parts import open_hand
from support.portrait_region import portrait_region

from engines.drawing.hands import draw_hands
from engines.drawing.medium import MEDIA
from engines.regions.hand_shapes import Hand, uncovered

_SKIN, _FEATURES = 170, 60
_FACE_PX = 200.0


def drawn(*hands: Hand, person: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
    """Return a sheet of one level for features, on which the hands uncover the level of the skin."""
    landmarks_xy = portrait_region("head").landmarks_xy
    picture, below = (np.full((512, 512, 3), level, np.uint8) for level in (_FEATURES, _SKIN))
    draw_hands(picture, below, hands, landmarks_xy, _FACE_PX, MEDIA["cel"], person=person)
    return picture


def mouth_xy() -> tuple[float, float]:
    x, y = portrait_region("head").landmarks_xy[[13, 14]].mean(0).tolist()
    return x, y


def test_a_hand_hides_the_features_below_it() -> None:
    x, y = (round(place) for place in mouth_xy())
    picture = drawn(open_hand(mouth_xy(), 90))
    assert (picture[y, x] == _SKIN).all()
    assert (picture[y + 120, x] == _FEATURES).all() and (picture[:40] == _FEATURES).all()


def test_fingers_get_contours_and_the_palm_none_towards_the_arm() -> None:
    (x, y), width = mouth_xy(), 90
    lightness = lab(drawn(open_hand((x, y), width))[:, :, ::-1].copy())[..., 0]
    across = lightness[round(y - 1.1 * width), round(x - 0.7 * width) : round(x + 0.7 * width)]
    skin = across > 60
    assert np.count_nonzero(np.diff(skin.astype(int)) == 1) >= 4, "four fingers, with ink between them"
    wrist = lightness[round(y + 0.4 * width) : round(y + 0.55 * width), round(x)]
    assert wrist.min() > 60


def test_a_nearer_finger_is_drawn_over_a_farther_hand() -> None:
    (x, y), width = mouth_xy(), 90
    near, far = open_hand((x, y), width), open_hand((x, y), width)
    for hand, depth in ((near, -80), (far, 80)):
        hand[[10, 11, 12], :2] = hand[9, :2] + np.array([(0, 20), (0, 40), (0, 60)], np.float32)  # bent over the palm
        hand[[10, 11, 12], 2] = depth
    over, under = (lab(drawn(hand)[:, :, ::-1].copy())[..., 0] for hand in (near, far))
    place = slice(round(y - 20), round(y + 30)), slice(round(x - 45), round(x + 10))
    assert (over[place] < 45).sum() > 3 * (under[place] < 45).sum(), "the contours of the bent finger"


def test_contours_end_where_there_is_no_person() -> None:
    empty, person = np.zeros((60, 60), np.uint8), np.full((60, 60), 255, np.uint8)
    hand = open_hand(mouth_xy(), 90)
    inked = [int((drawn(hand, person=mask) < _FEATURES - 15).sum()) for mask in (empty, person)]
    assert inked[0] == 0 < inked[1]


@pytest.mark.parametrize(("middle_xy", "palm_yx"), [((-20.0, 300.0), (300, 5)), ((525.0, 480.0), (480, 508))])
def test_hands_at_the_border_are_cut(middle_xy: tuple[float, float], palm_yx: tuple[int, int]) -> None:
    picture = drawn(open_hand(middle_xy, 90))
    assert (picture[palm_yx] == _SKIN).all() and (picture[200:220, 250:260] == _FEATURES).all()


@pytest.mark.parametrize("middle_xy", [(9000.0, 9000.0), (float("nan"), 5.0)])
def test_hands_beyond_the_picture_are_left_out(middle_xy: tuple[float, float]) -> None:
    assert (drawn(open_hand(middle_xy, 90)) == _FEATURES).all()


def test_the_mask_of_a_hand_is_its_shape() -> None:
    shown = uncovered((100, 200, 300, 420), [open_hand((200, 330), 80)])
    assert shown.shape == (220, 200)
    assert not shown[130, 100] and not shown[130 - 80, 100 - 13], "palm, and a finger"
    assert shown[5, 5] == 255 and shown[215, 100] == 255
    assert (uncovered((0, 0, 20, 20), [np.full((21, 3), np.nan, np.float32)]) == 255).all()
