"""Drawings of the built-in portrait: tones, ink and outlines."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.drawn_portrait import around, drawn_portrait, lab
from support.portrait_region import portrait_parts, portrait_region

from engines.drawing.drawing import DrawnFace, draw, persons_with_faces
from engines.drawing.face_measures import IRISES, measure_face
from engines.drawing.ink_parts import shade_and_ink
from engines.drawing.lens import face_lenses
from engines.drawing.medium import MEDIA
from engines.drawing.plane_set import Planes, planes_of
from engines.drawing.strokes import fill, stroke
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS
from engines.regions.upright import FACE_OVAL


def test_skin_is_drawn_in_a_few_flat_tones() -> None:
    region, parts = portrait_region("head"), portrait_parts("head")
    cheeks = cv2.erode(parts.skin * parts.face, np.ones((15, 15), np.uint8)) > 0.5
    photo, drawn = (np.rint(lab(rgb)[..., 0][cheeks]) for rgb in (region.rgb, drawn_portrait()))
    main = [
        np.sort(np.unique(lightness, return_counts=True)[1])[-4:].sum() / lightness.size for lightness in (photo, drawn)
    ]
    assert main[1] > 0.6 > 2 * main[0], "the four commonest levels of lightness hold most of the skin"


def test_comic_ink_is_black_and_bolder() -> None:
    cel, comic = (lab(drawn_portrait(medium=medium))[..., 0] for medium in ("cel", "comic"))
    assert (comic < 10).mean() > 1.1 * (cel < 10).mean()


def test_line_width_and_tones_can_be_chosen() -> None:
    thin, bold = (lab(drawn_portrait(line=line, hair=1.0))[..., 0] for line in (0.5, 2.0))
    assert (bold < 25).mean() > 1.02 * (thin < 25).mean()
    assert not replace(MEDIA["cel"], line=0.0).ink_coverage.any()
    flat = np.unique(MEDIA["cel"].tone_gain, axis=0)
    one_tone = np.unique(replace(MEDIA["cel"], tones=1).tone_gain, axis=0)
    assert len(one_tone) == 1 < len(flat)


def test_a_halftone_screen_follows_the_face_size() -> None:
    assert not np.array_equal(drawn_portrait(medium="comic"), drawn_portrait(medium="comic", screen=0.0))


def test_only_persons_with_a_face_get_an_outline() -> None:
    landmarks_xy = portrait_region("head").landmarks_xy * (40 / 512) + (10, 10)  # a face of 40 pixels at the left
    mask = np.zeros((80, 160), np.uint8)
    mask[5:75, 5:60] = mask[20:60, 100:140] = 255
    measures = measure_face(np.zeros((80, 160, 3), np.uint8), landmarks_xy)
    kept = persons_with_faces(mask, [DrawnFace(landmarks_xy, measures)], (160, 80))
    assert (kept[:, :80] == mask[:, :80]).all() and not kept[:, 80:].any()
    assert persons_with_faces(mask, [], (160, 80)) is mask


def test_lenses_enlarge_eyes_and_leave_the_rim() -> None:
    region = portrait_region("head")
    lenses = face_lenses(region.landmarks_xy, 1.2, 0.02)
    assert lenses is not None and face_lenses(region.landmarks_xy, 1.0, 0.0) is None
    warped = lenses.warp(np.ascontiguousarray(region.rgb[:, :, ::-1]))[:, :, ::-1]
    moved = lenses.moved(region.landmarks_xy)
    for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True):
        opening = [np.hypot(*(points[upper[4]] - points[lower[4]])) for points in (region.landmarks_xy, moved)]
        assert 1.1 < opening[1] / opening[0] < 1.25
    rim = np.ones(region.rgb.shape[:2], bool)
    rim[40:-40, 40:-40] = False
    assert np.abs(warped[rim].astype(int) - region.rgb[rim]).mean() < 0.5
    iris = warped[around(moved[IRISES[0][:1]], 3)].mean()
    assert iris < 0.7 * region.rgb[around(region.landmarks_xy[[50]], 3)].mean(), "the iris is where its landmark went"


def test_measures_of_two_photos_are_smoothed_in_time() -> None:
    from engines.regions.temporal_filter import TemporalFilter

    region, temporal = portrait_region("head"), TemporalFilter()
    bright = np.ascontiguousarray(region.rgb[:, :, ::-1])
    dark = (bright * 0.5).astype(np.uint8)
    lightness = [
        measure_face(frame, region.landmarks_xy, temporal_filter=temporal, at_s=at).skin_lab[0]
        for frame, at in ((bright, 0.0), (dark, 0.1), (dark, 2.0))
    ]
    assert lightness[0] > lightness[1] > lightness[2]


def test_planes_of_an_output_have_its_pixels_in_order() -> None:
    output = np.zeros((12, 2, 3), np.float32)
    output[:3], output[3] = np.array([10, 20, 30])[:, None, None], 40
    output[4:8, 1, 2], output[8:, 0, 1] = (1, 2, 3, 4), (5, 6, 7, 300)
    planes = planes_of(output)
    assert (planes.colour == (10, 20, 30)).all() and (planes.fields[..., 2] == 40).all()
    assert planes.fields[2:, 4:, 0].tolist() == [[1, 2], [3, 4]]
    assert planes.fields[:2, 2:4, 1].tolist() == [[5, 6], [7, 255]]


@pytest.mark.parametrize("width_px", [3.0, 8.0])
def test_a_stroke_is_widest_in_its_middle(width_px: float) -> None:
    mask = np.zeros((64, 64), np.uint8)
    fill(mask, stroke(np.array([[8.0, 32.0], [32.0, 32.0], [56.0, 32.0]]), width_px), (255,))
    width = mask.sum(0) / 255
    assert abs(width[32] - width_px) < 1.5
    assert width[12] < 0.9 * width[32] and width[5] == 0


def test_no_outline_through_a_plain_wall() -> None:
    lines = []
    person = cv2.GaussianBlur(np.pad(np.full((70, 160), 255, np.uint8), ((90, 0), (0, 0))), (0, 0), 2)
    for body_bgr in ((60, 60, 160), (200, 200, 200)):
        colour = np.full((160, 160, 3), 200, np.uint8)
        colour[90:] = body_bgr
        fields = np.zeros((160, 160, 2), np.uint8)
        fields[..., 0] = 164  # the usual light
        drawn = draw(Planes(colour, fields), MEDIA["cel"], 120.0, person=person)
        lines.append(int(drawn[70:110].min()))
    assert lines[0] < 30 < 150 < lines[1]


def test_folds_and_creases_become_tones_not_ink() -> None:
    medium = MEDIA["cel"]
    fields = np.full((64, 64, 3), (164, 255, 0), np.uint8)  # ink everywhere, no hair
    oval = portrait_region("head").landmarks_xy * (64 / 512)
    drawn = shade_and_ink(fields, [oval], medium, hair=True)
    coverage = medium.ink_coverage[drawn[..., 1]] / medium.ink_coverage.max()
    x, y = oval[FACE_OVAL].mean(0).astype(int)
    assert coverage[0, 0] == pytest.approx(medium.body, abs=0.03)
    assert coverage[y, x] == pytest.approx(medium.face, abs=0.03)


@pytest.mark.parametrize("medium", list(MEDIA))
def test_a_drawing_without_saturation_is_grey(medium: str) -> None:
    drawn = drawn_portrait(medium=medium, saturation=0.0, warmth=0.0)
    assert np.ptp(drawn, axis=2).max() <= 3, "eyes, lips, shade and what the photo's borders bring, too"
    assert np.ptp(drawn) > 200


def test_small_holes_and_inlets_of_the_mask_get_no_outline() -> None:
    region = portrait_region("head")
    face = DrawnFace(region.landmarks_xy, measure_face(region.rgb[:, :, ::-1].copy(), region.landmarks_xy))
    side = region.rgb.shape[0]
    person = np.full((side, side), 255, np.uint8)
    person[:, : side // 4] = 0
    small, wide = person.copy(), person.copy()
    small[side - 12 : side - 6, side // 2 : side // 2 + 6] = 0  # a spot of the clothes
    small[side - 12 : side - 6, side // 4 : side // 4 + 20] = 0  # a fold at their border
    wide[side // 2 :, : side // 2] = 0  # the room
    wide[: side // 16, -(side // 16) :] = 0  # its corner
    wide[side // 4 : side // 2, -6:] = 0  # a strip of it
    kept = persons_with_faces(small, [face], (side, side))
    assert (kept[side - 12 : side - 6, side // 2 : side // 2 + 6] == 255).all()
    assert (kept[side - 12 : side - 6, side // 4 + 6 : side // 4 + 20] == 255).mean() > 0.8
    assert (persons_with_faces(wide, [face], (side, side)) == wide).mean() > 0.998


def test_spots_of_skin_are_not_drawn() -> None:
    region = portrait_region("head")
    even = np.full((*region.rgb.shape[:2], 3), 160, np.uint8)
    even[..., 1:] = 0
    spotted, lit = even.copy(), even.copy()
    x, y = np.rint(region.landmarks_xy[[9, 10]].mean(0)).astype(int)  # on the forehead
    spotted[y - 4 : y + 4, x - 4 : x + 4, 0] = 60
    lit[:, : region.rgb.shape[1] // 2, 0] = 60  # light from one side
    shades = [shade_and_ink(one, [region.landmarks_xy], MEDIA["cel"], hair=True)[..., 0] for one in (spotted, lit)]
    assert (shades[0] == 160).mean() > 0.999
    assert (np.abs(shades[1].astype(int) - lit[..., 0]) <= 1).mean() > 0.97
