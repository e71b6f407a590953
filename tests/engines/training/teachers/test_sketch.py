"""The sketch teacher."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from support.portrait_region import BROWN, DARK, PALE, photo_region, portrait_parts, portrait_region

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers import load_teacher
from engines.training.teachers.face_parts import find_parts
from engines.training.teachers.sketch import sketch


def _cheeks(region: AlignedRegion, drawn: NDArray[np.uint8]) -> float:
    """The median grey around the centre of both cheeks."""
    xy = region.landmarks_xy[[50, 280]].astype(int)
    return float(np.median([drawn[y - 8 : y + 9, x - 8 : x + 9].mean(-1) for x, y in xy]))


@pytest.mark.parametrize("kind", ["head", "face", "frame"])
def test_the_drawing_is_graphite_on_warm_paper(kind: str) -> None:
    drawn = sketch(portrait_region(kind)).astype(int)
    assert drawn.shape == (512, 512, 3)
    spread = drawn.max(-1) - drawn.min(-1)
    assert spread.max() <= 13, "there is colour in it"
    light = drawn.min(-1) > 200
    assert light.mean() > 0.15, "no calm paper left"
    assert (drawn[light][:, 0] >= drawn[light][:, 2]).all(), "the paper is not warm"
    assert np.percentile(drawn.mean(-1), 1) < 110, "nothing dark in it"


def test_sketch_is_deterministic_and_found_by_name() -> None:
    region = portrait_region("head")
    assert np.array_equal(load_teacher("sketch")(region), sketch(region))


def test_features_are_darker_than_the_skin_around_them() -> None:
    drawn, parts = sketch(portrait_region("head")).mean(-1), portrait_parts("head")
    skin = np.median(drawn[parts.skin > 0.9])
    for feature in (parts.eyes, parts.brows, parts.nostrils):
        assert np.percentile(drawn[feature > 0.5], 20) < skin - 50


@pytest.mark.data
def test_skin_tones_keep_their_order_and_never_turn_black(data_dir: Path) -> None:
    greys = []
    for person in (PALE, BROWN, DARK):
        region = photo_region(data_dir / person, "head")
        drawn = sketch(region)
        greys.append(_cheeks(region, drawn))
        face = drawn.mean(-1)[find_parts(region).skin > 0.9]
        assert np.percentile(face, 95) - np.percentile(face, 5) > 25, f"{person}: the face has lost its form"
        assert np.percentile(face, 10) > 75, f"{person}: a black mass"
    pale, brown, dark = greys
    assert pale > brown + 8 and brown > dark + 4 and dark < 190


def test_the_background_is_drawn_without_a_person_mask() -> None:
    region = portrait_region("head")
    alone = sketch(region).mean(-1)
    part_of_it = sketch(replace(region, person=np.full_like(region.person, 255))).mean(-1)
    behind = portrait_parts("head").person < 0.1
    assert np.abs(alone - part_of_it)[behind].mean() < 2


@pytest.mark.parametrize("step", [5, 16])
def test_the_hatching_moves_with_the_picture(step: int) -> None:
    region = portrait_region("head")
    moved = replace(
        region,
        rgb=np.roll(region.rgb, (step, step), (0, 1)),
        person=np.roll(region.person, (step, step), (0, 1)),
        landmarks_xy=region.landmarks_xy + np.float32(step),
    )
    inside = slice(100, 400)
    change = (
        sketch(moved)[inside, inside].astype(int) - sketch(region)[100 - step : 400 - step, 100 - step : 400 - step]
    )
    assert np.abs(change).mean() < 1.0


def test_camera_noise_is_not_amplified() -> None:
    region = portrait_region("head")
    noise = np.random.default_rng(1).normal(0, 3, region.rgb.shape)
    noisy = replace(region, rgb=np.clip(np.rint(region.rgb + noise), 0, 255).astype(np.uint8))
    change_in = np.abs(noisy.rgb.astype(int) - region.rgb).mean()
    change_out = np.abs(sketch(noisy).astype(int) - sketch(region)).mean()
    assert change_out < 1.2 * change_in


def test_a_dark_photo_gives_a_readable_drawing() -> None:
    region = portrait_region("head")
    drawn = sketch(replace(region, rgb=(region.rgb * 0.3).astype(np.uint8)))
    parts = portrait_parts("head")
    assert _cheeks(region, drawn) > 120
    assert np.percentile(drawn.mean(-1)[parts.eyes > 0.5], 20) < _cheeks(region, drawn) - 20
