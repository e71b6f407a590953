"""The toon teacher: flat tones and dark lines, in the person's own colours."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_parts, portrait_region

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers import load_teacher
from engines.training.teachers.face_parts import find_parts
from engines.training.teachers.toon import toon


@functools.cache
def _drawn(kind: str) -> NDArray[np.uint8]:
    return toon(portrait_region(kind))


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _texture(rgb: NDArray[np.uint8], mask: NDArray[np.float32]) -> float:
    """The typical change of lightness within a few pixels; lines and borders hardly count."""
    lightness = _lab(rgb)[..., 0]
    fine = np.abs(lightness - cv2.GaussianBlur(lightness, (0, 0), 3.0))
    return float(np.median(fine[mask > 0.5]))


def _mean(rgb: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((_lab(rgb) * mask[..., None]).sum((0, 1)) / mask.sum(), np.float32)


@pytest.mark.parametrize("kind", ["face", "head", "frame"])
def test_regions_are_drawn_at_their_own_size(kind: str) -> None:
    drawn, region = _drawn(kind), portrait_region(kind)
    assert drawn.shape == region.rgb.shape
    assert drawn.dtype == np.uint8
    assert np.abs(drawn.astype(int) - region.rgb).mean() > 3, "nothing was drawn"


def test_toon_is_found_by_name() -> None:
    assert load_teacher("toon") is toon


def test_toon_is_deterministic_and_keeps_its_input() -> None:
    region = portrait_region("head")
    before = region.rgb.copy()
    np.testing.assert_array_equal(toon(region), _drawn("head"))
    np.testing.assert_array_equal(region.rgb, before)


def test_skin_and_background_are_flat() -> None:
    region, parts = portrait_region("head"), portrait_parts("head")
    cheeks = np.asarray(cv2.erode(parts.skin * parts.face, np.ones((15, 15), np.uint8)), np.float32)
    behind = np.asarray(cv2.erode(1 - parts.person, np.ones((25, 25), np.uint8)), np.float32)
    assert _texture(_drawn("head"), cheeks) < 0.7 * _texture(region.rgb, cheeks)
    assert _texture(_drawn("head"), behind) < 0.5 * _texture(region.rgb, behind)


def test_eyes_and_head_have_dark_outlines() -> None:
    region, parts = portrait_region("head"), portrait_parts("head")
    darker = _lab(region.rgb)[..., 0] - _lab(_drawn("head"))[..., 0]
    rim = cv2.GaussianBlur(parts.person, (0, 0), 6.0)
    rim = (4 * rim * (1 - rim) > 0.7) & (parts.hair > 0.2)
    for name, where in (("eyes", parts.eyes > 0.3), ("head", rim)):
        assert np.percentile(darker[where], 90) > 6, name
        assert (darker[where] > 8).mean() < 0.6, f"{name}: a line, no blot"


def test_a_reduced_drawing_resembles_the_photo() -> None:

    small = [
        cv2.resize(rgb, (32, 32), interpolation=cv2.INTER_AREA) for rgb in (_drawn("head"), portrait_region("head").rgb)
    ]
    lightness = [_lab(np.asarray(rgb, np.uint8))[..., 0].ravel() for rgb in small]
    assert np.corrcoef(lightness[0], lightness[1])[0, 1] > 0.97


def test_noise_is_reduced() -> None:
    region = portrait_region("head")
    noise = np.random.default_rng(0).normal(0, 5, region.rgb.shape)
    noisy = np.clip(np.rint(region.rgb + noise), 0, 255).astype(np.uint8)
    change = np.abs(toon(replace(region, rgb=noisy)).astype(float) - _drawn("head")).mean()
    assert change < 0.5 * np.abs(noisy.astype(float) - region.rgb).mean()


def test_a_small_change_of_light_changes_little() -> None:
    """There is no hard threshold: 1 % more light changes no pixel abruptly."""
    region = portrait_region("head")
    lighter = np.clip(np.rint(region.rgb * 1.01), 0, 255).astype(np.uint8)
    change = np.abs(toon(replace(region, rgb=lighter)).astype(float) - _drawn("head"))
    assert np.percentile(change, 99.5) < 16


def _skin_before_and_after(region: AlignedRegion) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    parts = find_parts(region)
    skin = parts.skin * parts.face
    return _mean(region.rgb, skin), _mean(toon(region), skin)


@pytest.mark.data
@pytest.mark.parametrize("photo", [PALE, BROWN, DARK])
def test_skin_keeps_lightness_and_hue_and_gains_chroma(data_dir: Path, photo: str) -> None:
    photo_lab, drawn_lab = _skin_before_and_after(photo_region(data_dir / photo, "head"))
    assert abs(drawn_lab[0] - photo_lab[0]) < 4
    photo_chroma, drawn_chroma = (float(np.hypot(lab[1], lab[2])) for lab in (photo_lab, drawn_lab))
    assert photo_chroma * 1.02 < drawn_chroma < photo_chroma * 1.45
    turn = np.arctan2(drawn_lab[2], drawn_lab[1]) - np.arctan2(photo_lab[2], photo_lab[1])
    assert abs(float(np.degrees(turn))) < 8
