"""Hair keeps its own hue, in the lightness of the drawing; everything else is unchanged."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.drawing.hair_colour import hair_in_own_hue
from engines.drawing.plane_set import HAIR, Planes

SIDE = 48
SKIN_RGB = (196, 140, 112)


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The mean colour, CIE Lab."""
    return np.asarray(cv2.cvtColor(rgb.mean((0, 1), dtype=np.float32)[None, None] / 255, cv2.COLOR_RGB2LAB)[0, 0])


@pytest.fixture
def planes() -> Planes:
    """All in the colour of skin; the upper half is hair."""
    colour = np.full((SIDE, SIDE, 3), SKIN_RGB, np.uint8)
    fields = np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    fields[:SIDE, :, HAIR] = 255
    return Planes(colour, fields)


def photo_bgr(hair_rgb: tuple[int, int, int]) -> NDArray[np.uint8]:
    photo = np.full((4 * SIDE, 4 * SIDE, 3), SKIN_RGB[::-1], np.uint8)
    photo[: 2 * SIDE] = hair_rgb[::-1]
    return photo


@pytest.mark.parametrize("hair_rgb", [(150, 150, 152), (90, 60, 40), (70, 120, 90)])
def test_hair_has_the_hue_of_the_photo(planes: Planes, hair_rgb: tuple[int, int, int]) -> None:
    drawn = lab(hair_in_own_hue(planes, photo_bgr(hair_rgb)).colour[: SIDE // 2 - 2])
    own = lab(np.full((1, 1, 3), hair_rgb, np.uint8))
    assert abs(drawn[0] - lab(planes.colour)[0]) < 4
    if np.hypot(*own[1:]) < 5:
        assert np.hypot(*drawn[1:]) < 5
    else:
        turn = np.arctan2(drawn[2], drawn[1]) - np.arctan2(own[2], own[1])
        assert abs(np.degrees(turn)) < 20


def test_what_is_no_hair_is_unchanged(planes: Planes) -> None:
    green = np.full((4 * SIDE, 4 * SIDE, 3), (20, 200, 20), np.uint8)
    drawn = hair_in_own_hue(planes, green)
    np.testing.assert_array_equal(drawn.colour[SIDE // 2 + 2 :], planes.colour[SIDE // 2 + 2 :])
    np.testing.assert_array_equal(drawn.fields, planes.fields)
