"""The enlargement of a colour plane along the borders of a photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.drawing.guided_enlargement import guided_enlargement

_RNG = np.random.default_rng(3)


def _halves(left_bgr: tuple[int, int, int], right_bgr: tuple[int, int, int]) -> np.ndarray:
    """Return two halves with a slanted border, (200, 320, 3) uint8."""
    picture = np.full((200, 320, 3), left_bgr, np.uint8)
    cv2.fillPoly(picture, [np.array([(150, 0), (320, 0), (320, 200), (190, 200)])], right_bgr)
    return picture


def _photo(
    left_bgr: tuple[int, int, int] = (70, 70, 70), right_bgr: tuple[int, int, int] = (190, 190, 190)
) -> np.ndarray:
    """Return halves with fine texture."""
    halves = _halves(left_bgr, right_bgr)
    return np.asarray((halves + _RNG.normal(0, 4, halves.shape)).clip(0, 255), np.uint8)


def _small(sigma_px: float = 0.8) -> np.ndarray:
    """Return a plane of the same halves, blue and red, (40, 64, 3) uint8, blurred."""
    blue_red = _halves((180, 60, 20), (20, 90, 200))
    return np.asarray(cv2.GaussianBlur(cv2.resize(blue_red, (64, 40), interpolation=cv2.INTER_AREA), (0, 0), sigma_px))


@pytest.mark.parametrize("right_bgr", [(190, 190, 190), (190, 70, 24)], ids=["darker", "as light"])
def test_borders_become_as_sharp_as_in_the_photo(right_bgr: tuple[int, int, int]) -> None:
    photo, small = _photo(right_bgr=right_bgr), _small()
    row = guided_enlargement(small, photo)[100].astype(int)
    cubic = cv2.resize(small, (320, 200), interpolation=cv2.INTER_CUBIC)[100].astype(int)
    steepest = [np.abs(np.diff(line[140:200, 0])).max() for line in (row, cubic)]
    assert steepest[0] > 2 * steepest[1]
    assert abs(int(np.argmax(np.abs(np.diff(row[140:200, 0])))) + 140 - 170) <= 2, "where the photo has it"


def test_a_blurred_plane_has_its_colours_beside_a_border() -> None:
    """A network reduces a neckline to a blur of 40 pixels; 5 from the border each side has its own colour."""
    off = []
    for is_coarse in (False, True):
        row = guided_enlargement(_small(2.0), _photo(), is_coarse=is_coarse)[100].astype(int)
        off.append(max(np.abs(row[170 - 5] - (180, 60, 20)).max(), np.abs(row[170 + 5] - (20, 90, 200)).max()))
    assert off[1] < 0.85 * off[0]


def test_texture_of_the_photo_is_not_taken_over() -> None:
    enlarged = guided_enlargement(_small(), _photo())
    flat = enlarged[20:180, 10:120].reshape(-1, 3)
    assert enlarged.shape == (200, 320, 3) and enlarged.dtype == np.uint8
    assert flat.std(0).max() < 1.5 and np.abs(flat.mean(0) - (180, 60, 20)).max() < 2


def test_single_hairs_beside_a_border_are_not_taken_over() -> None:
    photo = _photo()
    with_hair = cv2.line(photo.copy(), (140, 0), (180, 200), (190, 190, 190), 1)  # 10 pixels beside the border
    plain, hairy = (guided_enlargement(_small(), one).astype(int) for one in (photo, with_hair))
    hair = cv2.line(np.zeros((200, 320), np.uint8), (140, 20), (176, 180), 1) > 0
    assert np.abs(hairy - plain)[hair].mean() < 4
