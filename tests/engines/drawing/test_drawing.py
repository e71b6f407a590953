"""Drawings of the built-in portrait: tones, ink, eyes, mouth, and what covers them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.drawn_portrait import drawn_rgb, lab, taught
from support.portrait_region import portrait_parts, portrait_region

from engines.drawing.drawing import DrawnFace, draw, persons_with_faces
from engines.drawing.face_measures import IRISES, LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP, measure_face
from engines.drawing.features import draw_features
from engines.drawing.ink_parts import shade_and_ink
from engines.drawing.lens import face_lenses
from engines.drawing.medium import MEDIA
from engines.drawing.plane_set import Planes, planes_of
from engines.drawing.strokes import fill, stroke
from engines.regions.upright import FACE_OVAL
from engines.training.data.aligned import AlignedRegion


def _drawn(region: AlignedRegion | None = None, medium: str = "cel", **changes: float) -> NDArray[np.uint8]:
    return drawn_rgb(region or portrait_region("head"), taught(), replace(MEDIA[medium], **changes))  # type: ignore[arg-type]


def _around(points_xy: NDArray[np.float32], reach_px: int) -> tuple[slice, slice]:
    x, y = np.rint(points_xy.mean(0)).astype(int)
    return slice(y - reach_px, y + reach_px), slice(x - reach_px, x + reach_px)


def test_skin_is_drawn_in_a_few_flat_tones() -> None:
    region, parts = portrait_region("head"), portrait_parts("head")
    cheeks = cv2.erode(parts.skin * parts.face, np.ones((15, 15), np.uint8)) > 0.5
    photo, drawn = (np.rint(lab(rgb)[..., 0][cheeks]) for rgb in (region.rgb, _drawn()))
    main = [
        np.sort(np.unique(lightness, return_counts=True)[1])[-4:].sum() / lightness.size for lightness in (photo, drawn)
    ]
    assert main[1] > 0.6 > 2 * main[0], "the four commonest levels of lightness hold most of the skin"


def test_eyes_have_a_pupil_and_a_catchlight() -> None:
    region = portrait_region("head")
    eye = lab(_drawn())[_around(region.landmarks_xy[IRISES[0][:1]], 16)][..., 0]
    assert eye.max() > 90 and eye.min() < 12


def test_a_closed_eye_stays_closed() -> None:
    region = portrait_region("head")
    closed = region.landmarks_xy.copy()
    closed[UPPER_LIDS[0]] = closed[LOWER_LIDS[0]]
    around = _around(closed[LOWER_LIDS[0]], 14)
    open_l, closed_l = (lab(rgb)[around][..., 0] for rgb in (_drawn(), _drawn(replace(region, landmarks_xy=closed))))
    assert open_l.max() > 90 and closed_l.max() < 90, "no catchlight"


def test_a_covered_eye_is_not_drawn() -> None:
    region = portrait_region("head")
    place = _around(region.landmarks_xy[[*UPPER_LIDS[0], *LOWER_LIDS[0]]], 40)
    covered = region.rgb.copy()
    covered[place] = region.rgb[_around(region.landmarks_xy[[50, 205]], 6)].mean((0, 1))  # a hand: skin without an eye
    drawn = drawn_rgb(replace(region, rgb=covered), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    difference = np.abs(drawn[place].astype(int) - plain[place])
    assert difference.mean() < 2, "only the planes are seen where the eye is covered"
    assert np.abs(_drawn()[place].astype(int) - plain[place]).mean() > 4, "the visible eye is drawn"


@pytest.mark.parametrize("colour", [(22, 20, 20), (90, 30, 160)], ids=["dark", "mirrored"])
def test_no_eyes_are_drawn_on_sunglasses(colour: tuple[int, int, int]) -> None:
    region = portrait_region("head")
    worn = region.rgb.copy()
    lenses = [region.landmarks_xy[[*UPPER_LIDS[side], *LOWER_LIDS[side]]] for side in (0, 1)]
    places = [_around(lens, 28) for lens in lenses]
    for place in places:
        worn[place] = colour
    drawn = drawn_rgb(replace(region, rgb=worn), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    for place in (_around(lens, 2) for lens in lenses):
        assert np.abs(drawn[place].astype(int) - plain[place]).mean() < 2


@pytest.mark.parametrize("colour", [(35, 35, 35), (215, 220, 225)], ids=["a microphone", "a white mask"])
def test_no_mouth_is_drawn_on_what_covers_it(colour: tuple[int, int, int]) -> None:
    region = portrait_region("head")
    covered = region.rgb.copy()
    lower_face = np.asarray(region.landmarks_xy)[[2, 98, 327, 50, 280, 172, 397, 152, 148, 377]]
    cv2.fillConvexPoly(covered, cv2.convexHull(np.rint(lower_face).astype(np.int32)), colour)
    drawn = drawn_rgb(replace(region, rgb=covered), taught())
    plain = drawn_rgb(region, taught(), with_features=False)
    mouth = _around(region.landmarks_xy[[61, 291, 0, 17]], 2)
    assert np.abs(drawn[mouth].astype(int) - plain[mouth]).mean() < 1
    eyes = _around(region.landmarks_xy[UPPER_LIDS[0]], 4)
    assert np.abs(drawn[eyes].astype(int) - plain[eyes]).mean() > 4, "the eyes are drawn as before"


def test_a_smile_shows_white_teeth() -> None:
    region = portrait_region("head")
    mouth = region.landmarks_xy[[UPPER_LIP[5], LOWER_LIP[5]]]
    colours = lab(_drawn())[_around(mouth, 3)].reshape(-1, 3)
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


def test_comic_ink_is_black_and_bolder() -> None:
    cel, comic = (lab(_drawn(medium=medium))[..., 0] for medium in ("cel", "comic"))
    assert (comic < 10).mean() > 1.1 * (cel < 10).mean()


def test_line_width_and_tones_can_be_chosen() -> None:
    thin, bold = (lab(_drawn(line=line, hair=1.0))[..., 0] for line in (0.5, 2.0))
    assert (bold < 25).mean() > 1.02 * (thin < 25).mean()
    assert not replace(MEDIA["cel"], line=0.0).ink_coverage.any()
    flat = np.unique(MEDIA["cel"].tone_gain, axis=0)
    one_tone = np.unique(replace(MEDIA["cel"], tones=1).tone_gain, axis=0)
    assert len(one_tone) == 1 < len(flat)


def test_a_halftone_screen_follows_the_face_size() -> None:
    assert not np.array_equal(_drawn(medium="comic"), _drawn(medium="comic", screen=0.0))


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
    iris = warped[_around(moved[IRISES[0][:1]], 3)].mean()
    assert iris < 0.7 * region.rgb[_around(region.landmarks_xy[[50]], 3)].mean(), "the iris is where its landmark went"


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


def test_pale_lips_and_faint_brows_are_drawn() -> None:
    region = portrait_region("head")
    pale = np.full((512, 512, 3), (150, 170, 210), np.uint8)
    measures = replace(measure_face(pale, region.landmarks_xy), lip_line=1.0, brow=np.array([0.5, 0.5]))
    drawn = pale.copy()
    draw_features(drawn, region.landmarks_xy, measures, MEDIA["cel"])
    lips = lab(drawn)[_around(region.landmarks_xy[[17]] - (0, 8), 2)].reshape(-1, 3).mean(0)
    brow = lab(drawn)[_around(region.landmarks_xy[[52, 105]].mean(0, keepdims=True), 2)].reshape(-1, 3).mean(0)
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
    chin = _around(region.landmarks_xy[[152]], 6)
    plain = drawn_rgb(region, taught(), with_features=False)[chin].astype(int)
    assert (plain - _drawn()[chin]).max() > 25
    bearded = region.rgb.copy()
    bearded[_around(region.landmarks_xy[[175]], 30)] = (60, 45, 40)
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


@pytest.mark.parametrize("medium", list(MEDIA))
def test_a_drawing_without_saturation_is_grey(medium: str) -> None:
    drawn = _drawn(medium=medium, saturation=0.0, warmth=0.0)
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
