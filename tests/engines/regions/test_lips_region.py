"""The crop of the lips is level and tight; paint stays inside lips and box."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from engines.generators.shade import Shade
from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS, lips_region
from live.pipeline.frame import Floats, ImageU8
from live.render.blending import add_change
from live.render.look_tile import find_faces

SIZE = (90, 30)


@pytest.fixture(scope="module")
def scene(portrait_bgr: ImageU8) -> tuple[ImageU8, Floats]:
    """The portrait four times as large, and its landmarks."""
    large = cv2.resize(portrait_bgr[40:240, 120:340], None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    return large, find_faces(large)[0].landmarks_xy  # type: ignore[return-value]


def turned(picture: ImageU8, landmarks_xy: Floats, degrees: float) -> tuple[ImageU8, Floats]:
    matrix = cv2.getRotationMatrix2D((picture.shape[1] / 2, picture.shape[0] / 2), degrees, 1.0)
    moved = (landmarks_xy - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    return cv2.warpAffine(picture, matrix, (picture.shape[1], picture.shape[0])), moved.astype(np.float32)  # type: ignore[return-value]


@pytest.mark.parametrize("degrees", [0, 25, -60, 180])
def test_the_crop_does_not_depend_on_head_tilt(scene: tuple[ImageU8, Floats], degrees: float) -> None:
    picture, landmarks_xy = scene
    level = lips_region(landmarks_xy, picture, size_wh=SIZE)
    tilted_picture, tilted_xy = turned(picture, landmarks_xy, degrees)
    tilted = lips_region(tilted_xy, tilted_picture, size_wh=SIZE)
    assert level is not None and tilted is not None
    difference = cv2.absdiff(level.crop(picture), tilted.crop(tilted_picture))
    assert difference.mean() < 3.0


def test_the_crop_fits_the_lips_tightly(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    region = lips_region(landmarks_xy, picture, size_wh=SIZE)
    assert region is not None
    in_box = landmarks_xy[OUTER_LIPS] - np.array(region.box[:2]) - 0.5
    in_crop = in_box @ region.matrix[:, :2].T + region.matrix[:, 2]
    assert np.allclose(in_crop.min(0), -0.5, atol=0.1)
    assert np.allclose(in_crop.max(0), np.array(SIZE) - 0.5, atol=0.1)


def test_crop_and_uncrop_keep_the_place(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    tilted_picture, tilted_xy = turned(picture, landmarks_xy, 20)
    region = lips_region(tilted_xy, tilted_picture, size_wh=(360, 120))
    assert region is not None
    back = region.uncrop(region.crop(tilted_picture).astype(np.float32))
    off = np.abs(back - region.cut(tilted_picture))[region.mask > 0.5]
    assert off.mean() < 3.0


def test_nothing_outside_the_box_or_the_mask_changes(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    region = lips_region(landmarks_xy, picture, size_wh=SIZE)
    assert region is not None
    painted = picture.copy()
    add_change(painted, region, np.full((30, 90, 3), 80, np.float32), 1.0)
    left, top, right, bottom = region.box
    allowed = np.zeros(picture.shape[:2], bool)
    allowed[top:bottom, left:right] = region.mask > 0
    assert np.array_equal(painted[~allowed], picture[~allowed])
    assert (painted != picture).any()


def test_strength_zero_changes_nothing(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    region = lips_region(landmarks_xy, picture, size_wh=SIZE)
    assert region is not None
    painted = picture.copy()
    add_change(painted, region, np.full((30, 90, 3), 80, np.float32), 0.0)
    assert np.array_equal(painted, picture)


def test_an_open_mouth_stays_unpainted_inside(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    opened = landmarks_xy.copy()
    width = float(np.ptp(opened[OUTER_LIPS, 0]))
    lower = np.array([88, 178, 87, 14, 317, 402, 318, 95, 324, 91, 181, 84, 17, 314, 405, 321, 146, 375])
    opened[lower, 1] += 0.35 * width
    region = lips_region(opened, picture, size_wh=SIZE)
    assert region is not None
    hole = np.zeros(region.mask.shape, np.uint8)
    inner = np.round(opened[INNER_LIPS] - np.array(region.box[:2])).astype(np.int32)
    cv2.fillPoly(hole, [inner], 1)
    assert region.mask[hole > 0].mean() < 0.08
    assert region.mask.max() > 0.95


@pytest.mark.parametrize(
    "spoil",
    [
        lambda xy: xy * np.nan,
        lambda xy: xy + 1e5,
        lambda xy: xy - 1e5,
        lambda xy: xy * 0 + 50,
        lambda xy: xy * 0.01,
        lambda xy: xy * np.inf,
    ],
)
def test_a_mouth_that_cannot_be_painted_has_no_region(scene: tuple[ImageU8, Floats], spoil: object) -> None:
    picture, landmarks_xy = scene
    with np.errstate(invalid="ignore"):
        spoiled: NDArray[np.float32] = spoil(landmarks_xy)  # type: ignore[operator]
    assert lips_region(spoiled, picture, size_wh=SIZE) is None


def test_a_mouth_partly_outside_the_frame_is_painted(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    mouth_x = float(landmarks_xy[[61, 291], 0].mean())
    cut = np.ascontiguousarray(picture[:, int(mouth_x) :])
    region = lips_region(landmarks_xy - np.array([int(mouth_x), 0], np.float32), cut, size_wh=SIZE)
    assert region is not None
    assert region.box[0] == 0
    painted = cut.copy()
    add_change(painted, region, np.full((30, 90, 3), 60, np.float32), 1.0)
    assert (painted != cut).any()


@pytest.mark.parametrize("finish", ["matte", "satin", "gloss"])
@pytest.mark.parametrize("color", ["#a8142b", "#2040c0", "#f0c0b0", "#101010"])
def test_a_shade_takes_its_colour_and_keeps_the_texture(scene: tuple[ImageU8, Floats], color: str, finish: str) -> None:
    picture, landmarks_xy = scene
    region = lips_region(landmarks_xy, picture, size_wh=None)
    assert region is not None
    shade = Shade.parse(color, finish)
    painted = picture.copy()
    add_change(painted, region, shade.change(region.cut(picture), region), 1.0)
    inside = region.mask > 0.9
    before = cv2.cvtColor(region.cut(picture), cv2.COLOR_BGR2LAB).astype(np.float32)[inside]
    after = cv2.cvtColor(region.cut(painted), cv2.COLOR_BGR2LAB).astype(np.float32)[inside]
    wanted_ab = np.array(shade.lab[1:]) + 128
    before_off = np.hypot(*(before[:, 1:].mean(0) - wanted_ab))
    after_off = np.hypot(*(after[:, 1:].mean(0) - wanted_ab))
    assert after_off < 0.55 * before_off, "the lips' colour comes much nearer to the lipstick's"
    relief = np.corrcoef(before[:, 0], after[:, 0])[0, 1]
    assert relief > 0.7, "light and dark places of the lips stay where they are"


def test_gloss_shines_more_than_matte(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    region = lips_region(landmarks_xy, picture, size_wh=None)
    assert region is not None
    brightest = {}
    for finish in ("matte", "gloss"):
        painted = picture.copy()
        add_change(painted, region, Shade.parse("#7a1740", finish).change(region.cut(picture), region), 1.0)
        lightness = cv2.cvtColor(region.cut(painted), cv2.COLOR_BGR2LAB)[:, :, 0][region.mask > 0.9]
        brightest[finish] = np.percentile(lightness, 99)
    assert brightest["gloss"] > brightest["matte"] + 8


def test_paint_is_darker_in_the_dark(scene: tuple[ImageU8, Floats]) -> None:
    picture, landmarks_xy = scene
    means = []
    for gain in (1.0, 0.4):
        dark = (picture * gain).astype(np.uint8)
        region = lips_region(landmarks_xy, dark, size_wh=None)
        assert region is not None
        add_change(dark, region, Shade.parse("#e02040", "matte").change(region.cut(dark), region), 1.0)
        means.append(region.cut(dark)[region.mask > 0.9].mean())
    assert means[1] < 0.6 * means[0], "lipstick must not glow in a dark room"
