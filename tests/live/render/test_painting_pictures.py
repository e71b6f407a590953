"""Picture styles on a real face: what is covered, what is left alone. The network is a stand-in that inverts."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.head_parts import NegativeEngine, negative_look, portrait_face, portrait_person

from engines.errors import EngineError
from engines.generators.shade import Shade
from engines.looks import load_looks
from engines.regions.masks import region_mask
from engines.regions.upright import FACE_OVAL, PictureRegion, face_box
from live.pipeline.frame import Face
from live.render.look_loader import LoadedLayer, LoadedLook
from live.render.painter import Painter


def _face_pixels(shape: tuple[int, ...], *faces: Face) -> np.ndarray:
    """Well inside the outlines of the faces."""
    inside = np.zeros(shape[:2], np.uint8)
    for face in faces:
        oval = face.landmarks_xy[FACE_OVAL]
        smaller = oval.mean(0) + 0.93 * (oval - oval.mean(0))
        cv2.fillPoly(inside, [np.rint(smaller).astype(np.int32)], (1,))
    return inside > 0


@pytest.mark.parametrize("regions", [("head",), ("person",), ("frame",), ("person", "head"), ("face",)])
@pytest.mark.parametrize("seen", [True, False])
def test_no_pixel_of_the_face_stays_bare(regions: tuple[str, ...], seen: bool) -> None:
    frame_bgr, face = portrait_face()
    person = portrait_person() if seen else np.zeros((256, 256), np.uint8)
    look = negative_look(*regions[:1]) if len(regions) == 1 else negative_look(*regions)
    worn_bgr = frame_bgr.copy()
    spent = Painter().paint(worn_bgr, (face,), look, 1.0, at_s=0.0, person=person)
    assert spent.bare_faces == 0
    inside = _face_pixels(frame_bgr.shape, face)
    off = np.abs(worn_bgr[inside].astype(int) - (255 - frame_bgr[inside].astype(int)))
    assert np.percentile(off, 99) < 40 and off.mean() < 5


def test_outside_the_mask_not_one_bit_changes() -> None:
    frame_bgr, face = portrait_face()
    worn_bgr = frame_bgr.copy()
    Painter().paint(worn_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    box = face_box(face.landmarks_xy, "head")
    assert box is not None
    region = PictureRegion(box, (256, 256), (frame_bgr.shape[1], frame_bgr.shape[0]))
    mask = region_mask(region, "head", [face.landmarks_xy], portrait_person())
    untouched = np.ones(frame_bgr.shape[:2], bool)
    left, top, right, bottom = region.inner
    untouched[top:bottom, left:right] = mask == 0
    assert untouched.sum() > 50_000
    assert np.array_equal(worn_bgr[untouched], frame_bgr[untouched])


def test_half_strength_is_half_the_picture() -> None:
    frame_bgr, face = portrait_face()
    worn_bgr = frame_bgr.copy()
    Painter().paint(worn_bgr, (face,), negative_look("head"), 0.5, at_s=0.0, person=portrait_person())
    inside = _face_pixels(frame_bgr.shape, face)
    assert abs(float(worn_bgr[inside].mean()) - 127.5) < 3


def test_a_change_keeps_the_frames_own_detail() -> None:
    frame_bgr, face = portrait_face()
    big_bgr = cv2.resize(frame_bgr, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    noisy = np.random.default_rng(0).integers(-20, 21, big_bgr.shape)
    big_bgr = np.clip(big_bgr + noisy, 60, 200).astype(np.uint8)
    big = Face(0, face.landmarks_xy * 3)
    styles_in_use = {}
    for output in ("change", "picture"):
        styles_in_use[output] = big_bgr.copy()
        Painter().paint(styles_in_use[output], (big,), negative_look("face", output=output), 0.4, at_s=0.0)
    inside = _face_pixels(big_bgr.shape, big)
    grain = {
        name: float((one - cv2.blur(one, (3, 3)).astype(float))[inside].std()) for name, one in styles_in_use.items()
    }
    assert grain["change"] > 1.4 * grain["picture"]


def test_two_faces_are_both_covered_and_one_outside_the_frame_does_no_harm() -> None:
    frame_bgr, face = portrait_face()
    wide_bgr = np.hstack([frame_bgr, frame_bgr])
    faces = tuple(
        Face(i, face.landmarks_xy + np.float32([shift, 0])) for i, shift in enumerate((0, frame_bgr.shape[1], 4000))
    )
    worn_bgr = wide_bgr.copy()
    Painter().paint(worn_bgr, faces, negative_look("head"), 1.0, at_s=0.0, person=np.full((144, 256), 255, np.uint8))
    inside = _face_pixels(wide_bgr.shape, *faces[:2])
    off = np.abs(worn_bgr[inside].astype(int) - (255 - wide_bgr[inside].astype(int)))
    assert off.mean() < 5


def test_a_face_too_small_to_draw_is_counted_bare() -> None:
    frame_bgr, face = portrait_face()
    tiny = Face(0, face.landmarks_xy * 0.02)
    spent = Painter().paint(frame_bgr, (tiny,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 1


def test_a_network_that_gives_no_numbers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    frame_bgr, face = portrait_face()
    before = frame_bgr.copy()
    monkeypatch.setattr(NegativeEngine, "infer", lambda self, r: np.full(r.shape, np.nan, np.float32))
    with pytest.raises(EngineError, match="NaN"):
        Painter().paint(frame_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert np.array_equal(frame_bgr, before)


@pytest.mark.parametrize("regions", [("head",), ("face",), ("person",), ("person", "head")])
def test_a_face_that_leaves_the_frame_does_no_harm_at_any_place(regions: tuple[str, ...]) -> None:
    frame_bgr, face = portrait_face()
    width = frame_bgr.shape[1]
    look, painter = negative_look(*regions), Painter()
    nobody = np.zeros((256, 256), np.uint8)
    for shift in range(-width, width + 1, 8):
        moved = Face(0, face.landmarks_xy + np.float32([shift, 0]))
        painter.paint(frame_bgr.copy(), (moved,), look, 1.0, at_s=0.0, person=nobody)


def test_a_mouth_out_of_sight_leaves_no_drawn_face_bare() -> None:
    frame_bgr, face = portrait_face()
    lips = load_looks()["matte-red"].layers[0]
    assert isinstance(lips.style, Shade)
    drawn = negative_look("head")
    both = LoadedLook(drawn.look, (LoadedLayer(1.0, None, lips.style, None), *drawn.layers))
    low = Face(0, face.landmarks_xy + np.float32([0, frame_bgr.shape[0] - face.landmarks_xy[0, 1] + 30]))
    spent = Painter().paint(frame_bgr, (low,), both, 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 0
    only_lips = LoadedLook(drawn.look, both.layers[:1])
    assert Painter().paint(frame_bgr, (low,), only_lips, 1.0, at_s=0.0).bare_faces == 1


def test_an_absurd_face_is_bare_and_nothing_breaks() -> None:
    frame_bgr, face = portrait_face()
    huge = Face(0, face.landmarks_xy * 3000)
    spent = Painter().paint(frame_bgr, (huge,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 1


def test_memory_that_runs_out_is_an_error_that_the_look_can_cover(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: NegativeEngine, regions_bgr: np.ndarray) -> np.ndarray:
        raise MemoryError

    frame_bgr, face = portrait_face()
    monkeypatch.setattr(NegativeEngine, "infer", full)
    with pytest.raises(EngineError, match="style negative.*MemoryError"):
        Painter().paint(frame_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
