"""Synthetic blemishes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import DARK, photo_region, portrait_parts, portrait_region

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.blemishes import add_blemishes
from engines.training.teachers.face_parts import find_parts


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def test_the_same_seed_gives_the_same_face() -> None:
    region = portrait_region("face")
    one, same, other = (add_blemishes(region, np.random.default_rng(seed)).rgb for seed in (4, 4, 5))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_only_skin_is_blemished() -> None:
    region, parts = portrait_region("face"), portrait_parts("face")
    for seed in range(4):
        made = add_blemishes(region, np.random.default_rng(seed))
        changed = (made.rgb != region.rgb).any(-1)
        assert changed.any()
        assert not changed[parts.skin == 0].any()
        assert not changed[parts.irises > 0.9].any()
        assert made.kind == region.kind and np.array_equal(made.landmarks_xy, region.landmarks_xy)


def _assert_varied(region: AlignedRegion) -> None:
    skin = find_parts(region).skin > 0.6
    changes = []
    for seed in range(12):
        made = add_blemishes(region, np.random.default_rng(seed))
        changes.append((_lab(made.rgb) - _lab(region.rgb))[skin])
    assert max(np.percentile(change[:, 1], 99) for change in changes) > 5, "nothing red"
    assert max(np.percentile(change[:, 0], 99) for change in changes) > 4, "nothing shines"
    assert min(np.percentile(change[:, 0], 0.5) for change in changes) < -4, "nothing dark"
    assert max(np.abs(change).mean() for change in changes) < 8, "no longer the same face"


def test_spots_redness_and_shine_occur_and_the_face_remains() -> None:
    _assert_varied(portrait_region("face"))


@pytest.mark.data
def test_dark_skin_gets_blemishes(data_dir: Path) -> None:
    _assert_varied(photo_region(data_dir / DARK, "face"))


def test_without_skin_the_picture_is_unchanged() -> None:
    region = portrait_region("face")
    away = replace(region, landmarks_xy=region.landmarks_xy + 5000, person=np.zeros_like(region.person))
    assert np.array_equal(add_blemishes(away, np.random.default_rng(0)).rgb, region.rgb)
