"""The retouch teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_parts, portrait_region

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers import load_teacher
from engines.training.teachers.blemishes import add_blemishes
from engines.training.teachers.face_parts import find_parts
from engines.training.teachers.retouch import retouch


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _band(rgb: NDArray[np.uint8], fine_px: float, coarse_px: float) -> float:
    """The standard deviation of a band of detail on the cheeks."""
    light = _lab(rgb)[..., 0]
    band = cv2.GaussianBlur(light, (0, 0), fine_px) - cv2.GaussianBlur(light, (0, 0), coarse_px)
    region = portrait_region("face")
    patches = [np.std(band[y - 16 : y + 17, x - 16 : x + 17]) for x, y in region.landmarks_xy[[50, 280]].astype(int)]
    return float(np.mean(patches))


def test_only_the_skin_changes() -> None:
    region, parts = portrait_region("face"), portrait_parts("face")
    changed = (retouch(region) != region.rgb).any(-1)
    assert changed[parts.skin > 0.9].mean() > 0.7
    for name in ("irises", "mouth_opening"):
        assert not changed[getattr(parts, name) > 0.9].any(), f"the {name} changed"
    assert not changed[parts.person < 0.01].any(), "the background changed"
    assert changed[parts.brows > 0.8].mean() < 0.1


def test_retouch_is_deterministic_and_found_by_name() -> None:
    region = portrait_region("face")
    assert np.array_equal(load_teacher("retouch")(region), retouch(region))


def test_pores_are_kept_and_blotches_removed() -> None:
    region = portrait_region("face")
    done = retouch(region)
    assert _band(done, 0.3, 1.4) > 0.6 * _band(region.rgb, 0.3, 1.4), "plastic"
    assert _band(done, 2.0, 8.0) < 0.8 * _band(region.rgb, 2.0, 8.0), "as blotchy as before"


@pytest.mark.data
@pytest.mark.parametrize("person", [PALE, BROWN, DARK])
def test_the_skin_keeps_its_colour(data_dir: Path, person: str) -> None:
    region = photo_region(data_dir / person, "face")
    skin = find_parts(region).skin > 0.9
    before, after = (np.median(_lab(rgb)[skin], axis=0) for rgb in (region.rgb, retouch(region)))
    assert np.abs(after - before).max() < 2.0


def _spotted(region: AlignedRegion) -> AlignedRegion:
    """A red, dark spot on each cheek."""
    lab = _lab(region.rgb)
    for x, y in region.landmarks_xy[[50, 280]]:
        down, along = np.mgrid[0:512, 0:512].astype(np.float32)
        spot = np.exp(-((along - x) ** 2 + (down - y) ** 2) / (2 * 3.5**2))
        lab += spot[..., None] * np.array([-9, 12, 4], np.float32)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255
    return replace(region, rgb=np.clip(np.rint(rgb), 0, 255).astype(np.uint8))


def _assert_spots_go(clean: AlignedRegion) -> None:
    spotted = _spotted(clean)
    done, expected = _lab(retouch(spotted)), _lab(retouch(clean))
    for x, y in clean.landmarks_xy[[50, 280]].astype(int):
        at = np.s_[y - 3 : y + 4, x - 3 : x + 4]
        was = np.abs(_lab(spotted.rgb)[at] - _lab(clean.rgb)[at]).mean((0, 1))
        left = np.abs(done[at] - expected[at]).mean((0, 1))
        assert left[0] < 0.5 * was[0] and left[1] < 0.5 * was[1], f"a spot at {x}, {y} is still there"


def test_spots_are_removed() -> None:
    _assert_spots_go(portrait_region("face"))


@pytest.mark.data
@pytest.mark.parametrize("person", [BROWN, DARK])
def test_spots_are_removed_on_darker_skin(data_dir: Path, person: str) -> None:
    _assert_spots_go(photo_region(data_dir / person, "face"))


def test_retouch_brings_a_blemished_face_closer_to_clean() -> None:
    clean, skin = portrait_region("face"), portrait_parts("face").skin > 0.5
    expected = _lab(retouch(clean))[skin]
    for seed in range(3):
        blemished = add_blemishes(clean, np.random.default_rng(seed))
        before, after = (np.abs(_lab(rgb)[skin] - expected).mean() for rgb in (blemished.rgb, retouch(blemished)))
        assert after < before


def test_beards_are_unchanged() -> None:
    """Hair drawn over chin and cheeks is not removed as a blemish."""
    region = portrait_region("face")
    rng = np.random.default_rng(0)
    chin = cv2.boundingRect(region.landmarks_xy[[172, 397, 152, 17]].astype(np.float32))
    rgb = region.rgb.copy()
    for _ in range(4000):
        x, y = int(chin[0] + rng.uniform() * chin[2]), int(chin[1] + rng.uniform() * chin[3])
        cv2.line(rgb, (x, y), (x + int(rng.integers(-3, 4)), y + 9), (40, 28, 22), 1, cv2.LINE_AA)
    left, top, wide, high = chin
    beard = np.s_[top + high // 3 : top + high, left + wide // 4 : left + 3 * wide // 4]
    change = retouch(replace(region, rgb=rgb))[beard].astype(int) - rgb[beard]
    assert np.abs(change).mean() < 2.0


def test_without_skin_the_picture_is_unchanged() -> None:
    region = portrait_region("face")
    away = replace(region, landmarks_xy=region.landmarks_xy + 5000, person=np.zeros_like(region.person))
    assert np.array_equal(retouch(away), region.rgb)
