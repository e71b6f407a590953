"""Features of the built-in portrait as they are drawn: eyes, brows, mouth, chin, and what covers them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.drawn_portrait import around, drawn_portrait, drawn_rgb, lab, taught
from support.portrait_region import portrait_region

from engines.drawing.face_measures import IRISES, LOWER_LIP, UPPER_LIP, measure_face
from engines.drawing.features import draw_features
from engines.drawing.medium import MEDIA
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS


def test_eyes_have_a_pupil_and_a_catchlight() -> None:
    region = portrait_region("head")
    eye = lab(drawn_portrait())[around(region.landmarks_xy[IRISES[0][:1]], 16)][..., 0]
    assert eye.max() > 90 and eye.min() < 12


def test_a_closed_eye_stays_closed() -> None:
    region = portrait_region("head")
    closed = region.landmarks_xy.copy()
    closed[UPPER_LIDS[0]] = closed[LOWER_LIDS[0]]
    place = around(closed[LOWER_LIDS[0]], 14)
    drawn = drawn_portrait(), drawn_portrait(replace(region, landmarks_xy=closed))
    open_l, closed_l = (lab(rgb)[place][..., 0] for rgb in drawn)
    assert open_l.max() > 90 and closed_l.max() < 90, "no catchlight"


def test_a_covered_eye_is_not_drawn() -> None:
    region = portrait_region("head")
    place = around(region.landmarks_xy[[*UPPER_LIDS[0], *LOWER_LIDS[0]]], 40)
    covered = region.rgb.copy()
    covered[place] = region.rgb[around(region.landmarks_xy[[50, 205]], 6)].mean((0, 1))  # a hand: skin without an eye
    drawn = drawn_rgb(replace(region, rgb=covered), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    difference = np.abs(drawn[place].astype(int) - plain[place])
    assert difference.mean() < 2, "only the planes are seen where the eye is covered"
    assert np.abs(drawn_portrait()[place].astype(int) - plain[place]).mean() > 4, "the visible eye is drawn"


@pytest.mark.parametrize("colour", [(22, 20, 20), (90, 30, 160)], ids=["dark", "mirrored"])
def test_no_eyes_are_drawn_on_sunglasses(colour: tuple[int, int, int]) -> None:
    region = portrait_region("head")
    worn = region.rgb.copy()
    lenses = [region.landmarks_xy[[*UPPER_LIDS[side], *LOWER_LIDS[side]]] for side in (0, 1)]
    places = [around(lens, 28) for lens in lenses]
    for place in places:
        worn[place] = colour
    drawn = drawn_rgb(replace(region, rgb=worn), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    for place in (around(lens, 2) for lens in lenses):
        assert np.abs(drawn[place].astype(int) - plain[place]).mean() < 2


@pytest.mark.parametrize("colour", [(35, 35, 35), (215, 220, 225)], ids=["a microphone", "a white mask"])
def test_no_mouth_is_drawn_on_what_covers_it(colour: tuple[int, int, int]) -> None:
    region = portrait_region("head")
    covered = region.rgb.copy()
    lower_face = np.asarray(region.landmarks_xy)[[2, 98, 327, 50, 280, 172, 397, 152, 148, 377]]
    cv2.fillConvexPoly(covered, cv2.convexHull(np.rint(lower_face).astype(np.int32)), colour)
    drawn = drawn_rgb(replace(region, rgb=covered), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    mouth = around(region.landmarks_xy[[61, 291, 0, 17]], 2)
    assert np.abs(drawn[mouth].astype(int) - plain[mouth]).mean() < 1
    eyes = around(region.landmarks_xy[UPPER_LIDS[0]], 4)
    assert np.abs(drawn[eyes].astype(int) - plain[eyes]).mean() > 4, "the eyes are drawn as before"


def test_a_smile_shows_white_teeth() -> None:
    region = portrait_region("head")
    mouth = region.landmarks_xy[[UPPER_LIP[5], LOWER_LIP[5]]]
    colours = lab(drawn_portrait())[around(mouth, 3)].reshape(-1, 3)
    assert np.median(colours[:, 0]) > 75 and np.hypot(*np.median(colours[:, 1:], 0)) < 12


def test_a_small_smile_in_a_dim_room_shows_teeth() -> None:
    """The face is 50 pixels wide, dark and pale, as JPEG: the colours of teeth and lips are mixed."""
    region = portrait_region("head")
    dim = cv2.cvtColor(region.rgb.astype(np.float32) * np.float32(0.45 / 255), cv2.COLOR_RGB2LAB)
    dim *= np.float32([1, 0.4, 0.4])
    small = cv2.resize(cv2.cvtColor(dim, cv2.COLOR_LAB2BGR) * 255, None, fx=0.18, fy=0.18, interpolation=cv2.INTER_AREA)
    decoded = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 70])[1], cv2.IMREAD_COLOR)
    measures = measure_face(np.asarray(decoded, np.uint8), 0.18 * region.landmarks_xy)
    assert measures.teeth > 0.5


def test_a_tongue_is_no_teeth() -> None:
    region = portrait_region("head")
    mouth = np.rint(region.landmarks_xy[[*UPPER_LIP, *LOWER_LIP[::-1]]]).astype(np.int32)
    lips_rgb = region.rgb[tuple(np.rint(region.landmarks_xy[17, ::-1]).astype(int) - (4, 0))].astype(int)
    tongue_rgb = np.add(lips_rgb, (25, 10, 10)).clip(0, 255).tolist()
    shown_bgr = cv2.fillPoly(region.rgb.copy(), [mouth], tongue_rgb)[..., ::-1]
    assert measure_face(np.ascontiguousarray(shown_bgr), region.landmarks_xy).teeth < 0.2


def test_pale_lips_and_faint_brows_are_drawn() -> None:
    region = portrait_region("head")
    pale = np.full((512, 512, 3), (150, 170, 210), np.uint8)
    measures = replace(measure_face(pale, region.landmarks_xy), lip_line=1.0, brow=np.array([0.5, 0.5]))
    drawn = pale.copy()
    draw_features(drawn, region.landmarks_xy, measures, MEDIA["cel"])
    lips = lab(drawn)[around(region.landmarks_xy[[17]] - (0, 8), 2)].reshape(-1, 3).mean(0)
    brow = lab(drawn)[around(region.landmarks_xy[[52, 105]].mean(0, keepdims=True), 2)].reshape(-1, 3).mean(0)
    skin = lab(pale)[0, 0]
    assert lips[1] > skin[1] + 2 and brow[0] < skin[0] - 8


def test_light_from_the_side_leaves_both_brows_and_eyes_alike() -> None:
    region = portrait_region("head")
    light = np.linspace(0.5, 1.3, region.rgb.shape[1])[None, :, None]
    lit = np.asarray((region.rgb * light).clip(0, 255), np.uint8)
    measures = measure_face(lit[..., ::-1].copy(), region.landmarks_xy)
    assert measures.brow.min() > 0.7 * measures.brow.max() > 0
    assert np.abs(measures.iris_lab[0] - measures.iris_lab[1]).max() < 4


def test_a_line_divides_chin_and_neck_unless_a_beard_does() -> None:
    region = portrait_region("head")
    chin = around(region.landmarks_xy[[152]], 6)
    plain = drawn_rgb(region, taught(), with_features=False)[chin].astype(int)
    assert (plain - drawn_portrait()[chin]).max() > 25
    bearded = region.rgb.copy()
    bearded[around(region.landmarks_xy[[175]], 30)] = (60, 45, 40)
    measures = measure_face(bearded[..., ::-1].copy(), region.landmarks_xy)
    assert measures.chin < 0.5 < measure_face(region.rgb[..., ::-1].copy(), region.landmarks_xy).chin


def test_the_lines_of_a_small_face_are_no_darker() -> None:
    region, small_px = portrait_region("head"), 96
    large = np.full((512, 512, 3), 200, np.uint8)
    small = large[:small_px, :small_px].copy()
    measures = measure_face(np.ascontiguousarray(region.rgb[:, :, ::-1]), region.landmarks_xy)
    for picture in (large, small):
        draw_features(picture, region.landmarks_xy * (len(picture) / region.rgb.shape[0]), measures, MEDIA["cel"])
    reduced = cv2.resize(large, (small_px, small_px), interpolation=cv2.INTER_AREA)
    ink = [255 - picture.min(2).astype(float) for picture in (reduced, small)]
    assert 0.8 < (ink[1] - 55).sum() / (ink[0] - 55).sum() < 1.25
