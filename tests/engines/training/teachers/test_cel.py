"""The cel teacher: planes of a photo, in the person's own colours."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.drawn_portrait import drawn_rgb, mean_lab, taught
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_region

from engines.training.teachers import load_teacher
from engines.training.teachers.cel import cel
from engines.training.teachers.face_parts import find_parts


def test_cel_is_deterministic_and_keeps_its_input() -> None:
    region = portrait_region("head")
    before = region.rgb.copy()
    side_px = before.shape[0]
    assert taught().shape == (2 * side_px, side_px, 3) and taught().dtype == np.uint8
    np.testing.assert_array_equal(load_teacher("cel")(region), taught())
    np.testing.assert_array_equal(region.rgb, before)


def test_a_small_change_of_light_changes_little() -> None:
    region = portrait_region("head")
    lighter = np.clip(np.rint(region.rgb * 1.01), 0, 255).astype(np.uint8)
    change = np.abs(cel(replace(region, rgb=lighter)).astype(float) - taught()).max(-1)
    assert (change > 24).mean() < 0.01


@pytest.mark.data
@pytest.mark.parametrize("photo", [PALE, BROWN, DARK])
def test_skin_keeps_its_depth_and_hue(data_dir: Path, photo: str) -> None:
    region = photo_region(data_dir / photo, "head")
    parts = find_parts(region)
    skin = parts.skin * parts.face
    photo_lab, drawn_lab = mean_lab(region.rgb, skin), mean_lab(drawn_rgb(region, cel(region)), skin)
    assert abs(drawn_lab[0] - photo_lab[0]) < 4.5  # measured: at most 4.02, of the person with brown skin
    turn = np.arctan2(drawn_lab[2], drawn_lab[1]) - np.arctan2(photo_lab[2], photo_lab[1])
    assert abs(float(np.degrees(turn))) < 8


@pytest.mark.data
@pytest.mark.parametrize("photo", ["01", "20", "22", "38"])
def test_grey_hair_is_not_drawn_in_the_colour_of_skin(data_dir: Path, photo: str) -> None:
    region = photo_region(data_dir / f"faces/portraits_cc0/male/{photo}.jpg", "head")
    parts = find_parts(region)
    hair = (parts.hair > 0.5).astype(np.float32)
    drawn_lab = mean_lab(np.ascontiguousarray(cel(region)[: region.rgb.shape[0]]), hair)
    assert hair.mean() > 0.02
    assert np.hypot(*(drawn_lab - mean_lab(region.rgb, hair))[1:]) < 3
    assert np.hypot(*(drawn_lab - parts.skin_lab)[1:]) > 10
