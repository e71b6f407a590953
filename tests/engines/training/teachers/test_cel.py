"""The cel teacher: flat tones, ink, and features from the landmarks, in the person's own colours."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_parts, portrait_region

from engines.training.teachers import load_teacher
from engines.training.teachers.cel import cel
from engines.training.teachers.face_parts import IRISES, find_parts
from engines.training.teachers.pen import Pen

LEFT_EYE = ([33, 246, 161, 160, 159, 158, 157, 173, 133], [33, 7, 163, 144, 145, 153, 154, 155, 133])


@functools.cache
def _drawn() -> NDArray[np.uint8]:
    return load_teacher("cel")(portrait_region("head"))


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _mean(rgb: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((_lab(rgb) * mask[..., None]).sum((0, 1)) / mask.sum(), np.float32)


def test_cel_is_deterministic_and_keeps_its_input() -> None:
    region = portrait_region("head")
    before = region.rgb.copy()
    assert _drawn().shape == before.shape and _drawn().dtype == np.uint8
    np.testing.assert_array_equal(cel(region), _drawn())
    np.testing.assert_array_equal(region.rgb, before)


def test_skin_is_drawn_in_a_few_flat_tones() -> None:
    region, parts = portrait_region("head"), portrait_parts("head")
    cheeks = cv2.erode(parts.skin * parts.face, np.ones((15, 15), np.uint8)) > 0.5
    photo, drawn = (np.rint(_lab(rgb)[..., 0][cheeks]) for rgb in (region.rgb, _drawn()))
    main = [
        np.sort(np.unique(lightness, return_counts=True)[1])[-4:].sum() / lightness.size for lightness in (photo, drawn)
    ]
    assert main[1] > 0.6 > 2 * main[0], "the four commonest levels of lightness hold most of the skin"


def test_iris_and_white_have_clear_borders() -> None:
    region = portrait_region("head")
    x, y = np.rint(region.landmarks_xy[IRISES[0][0]]).astype(int)
    eye = _lab(_drawn())[y - 12 : y + 12, x - 20 : x + 20, 0]
    assert eye.max() > 90, "a catchlight"
    assert eye.min() < 12, "a pupil"


def test_a_closed_eye_stays_closed() -> None:
    region = portrait_region("head")
    closed = region.landmarks_xy.copy()
    closed[LEFT_EYE[0]] = closed[LEFT_EYE[1]]
    x, y = np.rint(closed[LEFT_EYE[1]].mean(0)).astype(int)
    around = np.s_[y - 12 : y + 12, x - 20 : x + 20]
    open_l, closed_l = (_lab(rgb)[around][..., 0] for rgb in (_drawn(), cel(replace(region, landmarks_xy=closed))))
    assert open_l.max() > 95 and closed_l.max() < 90, "no catchlight"


def test_a_small_change_of_light_changes_little() -> None:
    region = portrait_region("head")
    lighter = np.clip(np.rint(region.rgb * 1.01), 0, 255).astype(np.uint8)
    change = np.abs(cel(replace(region, rgb=lighter)).astype(float) - _drawn()).max(-1)
    assert (change > 24).mean() < 0.01


@pytest.mark.data
@pytest.mark.parametrize("photo", [PALE, BROWN, DARK])
def test_skin_keeps_its_depth_and_hue(data_dir: Path, photo: str) -> None:
    region = photo_region(data_dir / photo, "head")
    parts = find_parts(region)
    skin = parts.skin * parts.face
    photo_lab, drawn_lab = _mean(region.rgb, skin), _mean(cel(region), skin)
    assert abs(drawn_lab[0] - photo_lab[0]) < 4
    turn = np.arctan2(drawn_lab[2], drawn_lab[1]) - np.arctan2(photo_lab[2], photo_lab[1])
    assert abs(float(np.degrees(turn))) < 8


def test_a_stroke_is_widest_in_its_middle() -> None:
    pen = Pen(np.full((64, 64, 3), 50, np.float32), scale=2)
    width = pen.stroke(np.array([[8.0, 32.0], [32.0, 32.0], [56.0, 32.0]]), 6.0).sum(0)
    assert abs(width[64] - 12) < 1.5
    assert width[24] < 9 and width[10] == 0
