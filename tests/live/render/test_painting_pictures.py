"""Picture styles on a real face; a stand-in for the network inverts its input."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from support.head_parts import NegativeEngine, negative_look, portrait_face, portrait_person

from engines.errors import EngineError
from engines.generators.shade import Shade
from engines.looks_file import load_looks
from engines.regions.masks import region_mask
from engines.regions.upright import FACE_OVAL, PictureRegion, face_box
from live.pipeline.frame import Face
from live.render.look_loader import LoadedLayer, LoadedLook
from live.render.painter import Painter


def _face_pixels(shape: tuple[int, ...], *faces: Face) -> np.ndarray:
    """Return the pixels well inside the outlines of the faces."""
    inside = np.zeros(shape[:2], np.uint8)
    for face in faces:
        oval = face.landmarks_xy[FACE_OVAL]
        smaller = oval.mean(0) + 0.93 * (oval - oval.mean(0))
        cv2.fillPoly(inside, [np.rint(smaller).astype(np.int32)], (1,))
    return inside > 0


@pytest.mark.parametrize("regions", [("head",), ("person",), ("frame",), ("person", "head"), ("face",)])
@pytest.mark.parametrize("seen", [True, False])
def test_every_face_pixel_is_covered(regions: tuple[str, ...], seen: bool) -> None:
    frame_bgr, face = portrait_face()
    person = portrait_person() if seen else np.zeros((256, 256), np.uint8)
    look = negative_look(*regions[:1]) if len(regions) == 1 else negative_look(*regions)
    painted_bgr = frame_bgr.copy()
    spent = Painter().paint(painted_bgr, (face,), look, 1.0, at_s=0.0, person=person)
    assert spent.bare_faces == 0
    inside = _face_pixels(frame_bgr.shape, face)
    off = np.abs(painted_bgr[inside].astype(int) - (255 - frame_bgr[inside].astype(int)))
    assert np.percentile(off, 99) < 40 and off.mean() < 5


def test_outside_the_mask_no_bit_changes() -> None:
    frame_bgr, face = portrait_face()
    painted_bgr = frame_bgr.copy()
    Painter().paint(painted_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    box = face_box(face.landmarks_xy, "head")
    assert box is not None
    region = PictureRegion(box, (256, 256), (frame_bgr.shape[1], frame_bgr.shape[0]))
    mask = region_mask(region, "head", [face.landmarks_xy], portrait_person())
    untouched = np.ones(frame_bgr.shape[:2], bool)
    left, top, right, bottom = region.inner
    untouched[top:bottom, left:right] = mask == 0
    assert untouched.sum() > 50_000
    assert np.array_equal(painted_bgr[untouched], frame_bgr[untouched])


def test_half_strength_blends_half() -> None:
    frame_bgr, face = portrait_face()
    painted_bgr = frame_bgr.copy()
    Painter().paint(painted_bgr, (face,), negative_look("head"), 0.5, at_s=0.0, person=portrait_person())
    inside = _face_pixels(frame_bgr.shape, face)
    assert abs(float(painted_bgr[inside].mean()) - 127.5) < 3


def test_change_output_keeps_the_frames_detail() -> None:
    frame_bgr, face = portrait_face()
    big_bgr = cv2.resize(frame_bgr, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    noisy = np.random.default_rng(0).integers(-20, 21, big_bgr.shape)
    big_bgr = np.clip(big_bgr + noisy, 60, 200).astype(np.uint8)
    big = Face(0, face.landmarks_xy * 3)
    painted = {}
    for output in ("change", "picture"):
        painted[output] = big_bgr.copy()
        Painter().paint(painted[output], (big,), negative_look("face", output=output), 0.4, at_s=0.0)
    inside = _face_pixels(big_bgr.shape, big)
    grain = {name: float((one - cv2.blur(one, (3, 3)).astype(float))[inside].std()) for name, one in painted.items()}
    assert grain["change"] > 1.4 * grain["picture"]


def test_two_faces_are_covered_beside_one_outside() -> None:
    frame_bgr, face = portrait_face()
    wide_bgr = np.hstack([frame_bgr, frame_bgr])
    faces = tuple(
        Face(i, face.landmarks_xy + np.float32([shift, 0])) for i, shift in enumerate((0, frame_bgr.shape[1], 4000))
    )
    painted_bgr = wide_bgr.copy()
    Painter().paint(painted_bgr, faces, negative_look("head"), 1.0, at_s=0.0, person=np.full((144, 256), 255, np.uint8))
    inside = _face_pixels(wide_bgr.shape, *faces[:2])
    off = np.abs(painted_bgr[inside].astype(int) - (255 - wide_bgr[inside].astype(int)))
    assert off.mean() < 5


def test_face_too_small_to_draw_counts_as_bare() -> None:
    frame_bgr, face = portrait_face()
    tiny = Face(0, face.landmarks_xy * 0.02)
    spent = Painter().paint(frame_bgr, (tiny,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 1


def test_nan_output_is_an_error_and_paints_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    frame_bgr, face = portrait_face()
    before = frame_bgr.copy()
    monkeypatch.setattr(NegativeEngine, "infer", lambda self, r: np.full(r.shape, np.nan, np.float32))
    with pytest.raises(EngineError, match="NaN"):
        Painter().paint(frame_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert np.array_equal(frame_bgr, before)


@pytest.mark.parametrize("regions", [("head",), ("face",), ("person",), ("person", "head")])
def test_face_leaving_the_frame_raises_nothing(regions: tuple[str, ...]) -> None:
    frame_bgr, face = portrait_face()
    width = frame_bgr.shape[1]
    look, painter = negative_look(*regions), Painter()
    empty = np.zeros((256, 256), np.uint8)
    for shift in range(-width, width + 1, 8):
        moved = Face(0, face.landmarks_xy + np.float32([shift, 0]))
        painter.paint(frame_bgr.copy(), (moved,), look, 1.0, at_s=0.0, person=empty)


def test_hidden_mouth_under_a_drawing_is_not_bare() -> None:
    frame_bgr, face = portrait_face()
    lips = load_looks()["matte-red"].layers[0]
    assert isinstance(lips.style, Shade)
    drawn = negative_look("head")
    both = LoadedLook(drawn.look, (LoadedLayer(lips.style, 1.0, None), *drawn.layers))
    low = Face(0, face.landmarks_xy + np.float32([0, frame_bgr.shape[0] - face.landmarks_xy[0, 1] + 30]))
    spent = Painter().paint(frame_bgr, (low,), both, 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 0
    only_lips = LoadedLook(drawn.look, both.layers[:1])
    assert Painter().paint(frame_bgr, (low,), only_lips, 1.0, at_s=0.0).bare_faces == 1


def test_implausible_face_counts_as_bare() -> None:
    frame_bgr, face = portrait_face()
    huge = Face(0, face.landmarks_xy * 3000)
    spent = Painter().paint(frame_bgr, (huge,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
    assert spent.bare_faces == 1


def test_out_of_memory_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: NegativeEngine, regions_bgr: np.ndarray) -> np.ndarray:
        raise MemoryError

    frame_bgr, face = portrait_face()
    monkeypatch.setattr(NegativeEngine, "infer", full)
    with pytest.raises(EngineError, match="style negative.*MemoryError"):
        Painter().paint(frame_bgr, (face,), negative_look("head"), 1.0, at_s=0.0, person=portrait_person())
