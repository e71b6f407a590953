"""Synthetic glasses: rims around the eyes, and ink where they are in the target."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.cli_parts import call
from support.portrait_region import portrait_region

from engines.drawing.plane_set import INK
from engines.errors import OptionsError
from engines.regions.eyes import IRIS_CENTRES
from engines.training.data.aligned import save_region
from engines.training.teachers.cel import cel
from engines.training.teachers.glasses import add_glasses, with_rims
from engines.training.teachers.teacher_dataset import draw_pairs

SEEDS = range(12)


def test_the_same_seed_gives_the_same_glasses() -> None:
    region = portrait_region("head")
    one, same, other = (add_glasses(region, np.random.default_rng(seed))[0].rgb for seed in (4, 4, 5))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", SEEDS)
def test_rims_surround_the_eyes(seed: int) -> None:
    region = portrait_region("head")
    made, rims = add_glasses(region, np.random.default_rng(seed))
    eyes_xy = region.landmarks_xy[IRIS_CENTRES]
    apart = float(np.hypot(*(eyes_xy[1] - eyes_xy[0])))
    y, x = np.nonzero(rims > 0.5)
    for eye_x, eye_y in eyes_xy:
        near = np.hypot(x - eye_x, y - eye_y)
        assert near.min() > 0.1 * apart, "no rim crosses the iris"
        above = (np.abs(x - eye_x) < 0.1 * apart) & (y < eye_y) & (near < 0.6 * apart)
        assert above.any(), "there is a rim above each eye"
    middle = (np.abs(x - eyes_xy[:, 0].mean()) < 0.1 * apart) & (np.abs(y - eyes_xy[:, 1].mean()) < 0.4 * apart)
    assert middle.any(), "there is a bridge"
    changed = np.abs(made.rgb.astype(int) - region.rgb).max(-1) > 3
    rows = np.nonzero(changed.any(1))[0]
    assert changed.any() and rows.min() > eyes_xy[:, 1].min() - 0.7 * apart, "the forehead is unchanged"
    assert rows.max() < eyes_xy[:, 1].max() + 0.9 * apart, "the mouth is unchanged"
    assert np.array_equal(made.landmarks_xy, region.landmarks_xy)


def test_rims_are_of_light_and_dark_materials() -> None:
    region = portrait_region("head")
    lighter = []
    for seed in SEEDS:
        made, rims = add_glasses(region, np.random.default_rng(seed))
        lighter.append(float((made.rgb.astype(int) - region.rgb)[rims > 0.9].mean()))
    assert min(lighter) < -20 and max(lighter) > 10


def test_the_target_has_the_rims_as_ink() -> None:
    region = portrait_region("head")
    _, rims = add_glasses(region, np.random.default_rng(1))
    planes = cel(region)
    inked = with_rims(planes, rims)
    side = len(region.rgb)
    assert (inked[side:, :, INK][rims > 0.9] > 225).all()
    assert np.array_equal(inked[:side], planes[:side]), "the colours are those of the bare face"
    assert np.array_equal(inked[side:][rims == 0], planes[side:][rims == 0])


def test_a_small_face_gets_no_glasses() -> None:
    region = portrait_region("head")
    far = replace(region, landmarks_xy=region.landmarks_xy * np.float32(0.05))
    made, rims = add_glasses(far, np.random.default_rng(0))
    assert np.array_equal(made.rgb, region.rgb) and not rims.any()


def test_pairs_with_glasses_are_drawn_beside_the_plain_ones(tmp_path: Path) -> None:
    save_region(portrait_region("head"), tmp_path)
    (name,) = (path.stem for path in tmp_path.glob("*.png"))
    draw_pairs(tmp_path, "cel", tmp_path / "pairs", side_px=128, processes=1, glasses=1)
    ink = []
    for stem in (name, f"{name}~g1"):
        after = cv2.imread(str(tmp_path / "pairs" / "after" / f"{stem}.png"))
        assert after is not None and after.shape == (256, 128, 3)
        ink.append(after[128:, :, 2 - INK].astype(int))
    assert (ink[1] >= ink[0]).all() and (ink[1] - ink[0] > 100).any()


def test_glasses_are_for_the_teacher_of_planes(tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match="it draws no planes"):
        draw_pairs(tmp_path, "sketch", tmp_path / "pairs", glasses=1)
    done = call("train", "mine", "--teacher", "sketch", "--faces", tmp_path, "--glasses", 1)
    assert done.returncode == 2 and "--glasses" in done.stderr and done.stderr.count("\n") == 1
