"""A face that is no longer found is not shown bare while another one is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.never_bare_judge import SMALL_WH, Scene, bareness, is_smooth, scenes
from support.never_bare_parts import TroubledLookLoader, Troubles, the_looks
from support.never_bare_show import is_card

from engines.looks import Layer, Look
from live.control.controls import ControlState
from live.pipeline.frame import Face, Frame, ImageU8, TrackedFrame
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LookLoader
from live.render.privacy_policy import PrivacyPolicy

_TWO = scenes(SMALL_WH, 2)[0]
_LEFT, _RIGHT = _TWO.faces


class _Film:
    """Frames of one scene at 30 per second: `found` are the detected faces, `there` those on the person mask."""

    def __init__(self, look: str) -> None:
        looks = the_looks() | {"faces": _faces_alone()}
        look_loader = TroubledLookLoader(looks, Troubles(), slow_s=0.0, broken="")
        self.look, self.number = look, 0
        self.frame_renderer = FrameRenderer(
            look_loader, Timings(), print, policy=PrivacyPolicy(lambda state: looks[state.look])
        )
        self.frame_renderer.select(look_loader.load(look))

    def frame(self, found: tuple[Face, ...], *, there: tuple[Face, ...], scene: Scene = _TWO) -> Frame:
        self.number += 1
        frame = Frame(scene.bgr.copy(), self.number, self.number / 30)
        return self.frame_renderer.render(TrackedFrame(frame, found, 1.0, _persons(there)), ControlState(self.look))

    def kinds(self, frames: int, found: tuple[Face, ...], *, there: tuple[Face, ...], scene: Scene = _TWO) -> str:
        """Return one letter per frame: b(are), d(rawn), c(ard), s(oft)."""
        made = (self.frame(found, there=there, scene=scene) for _ in range(frames))
        return "".join("c" if is_card(one) else "s" if is_smooth(one.bgr) else _seen(one) for one in made)


def _seen(frame: Frame) -> str:
    return "b" if bareness(frame.bgr)[0] > 0.3 else "d"


def _faces_alone() -> Look:
    """Return a look that draws faces only."""
    toon = the_looks()["toon"]
    style = replace(toon.layers[1].style, region="face")  # type: ignore[type-var]
    return replace(toon, name="faces", layers=(Layer(style, 1.0),))


def _persons(faces: tuple[Face, ...]) -> ImageU8:
    mask = np.zeros((SMALL_WH[1], SMALL_WH[0]), np.uint8)
    for face in faces:
        left, top = np.maximum(face.landmarks_xy.min(0).astype(int) - 12, 0)
        mask[top:, left : int(face.landmarks_xy[:, 0].max()) + 12] = 255
    return mask


def test_stand_in_draws_found_faces_and_judge_sees_bare_ones() -> None:
    film = _Film("head")
    assert film.kinds(1, _TWO.faces, there=_TWO.faces) == "d"
    assert _Film("head").kinds(1, (_LEFT,), there=(_LEFT,)) == "b", "neither found nor on the mask"


@pytest.mark.parametrize("look", ["head", "faces", "toon", "always"])
def test_person_without_a_found_face_is_drawn_or_blurred(look: str) -> None:
    film = _Film(look)
    first, *_, last = (film.frame((_LEFT,), there=_TWO.faces) for _ in range(5))
    assert _seen(first) == _seen(last) == "d" and not is_smooth(last.bgr), "the rest of the picture stays"
    assert bareness(last.bgr)[1] < -0.6, "the found face is drawn"


@pytest.mark.parametrize("look", ["head", "faces"])
def test_lost_face_is_blurred_until_found_again(look: str) -> None:
    film = _Film(look)
    assert film.kinds(5, _TWO.faces, there=_TWO.faces) == "ddddd"
    assert film.kinds(90, (_LEFT,), there=_TWO.faces) == "d" * 90
    assert film.kinds(5, _TWO.faces, there=_TWO.faces) == "ddddd"


def test_departed_face_is_forgotten_after_hold_s() -> None:
    film = _Film("faces")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    shown = film.kinds(40, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    assert set(shown) == {"d"} and film.frame((_LEFT,), there=(_LEFT,)).bgr is not None
    assert film.kinds(1, (_LEFT,), there=(_LEFT,)) == "b", "forgotten"


def test_drawn_person_needs_no_fallback() -> None:
    film = _Film("toon")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    frames = [film.frame((_LEFT,), there=_TWO.faces) for _ in range(40)]
    assert {_seen(frame) for frame in frames} == {"d"} and len({id(frame.bgr) for frame in frames}) == 40


@pytest.mark.parametrize("look", ["head", "faces", "toon"])
def test_mask_that_misses_a_found_face_is_ignored(look: str) -> None:
    film = _Film(look)
    last = [film.frame(_TWO.faces, there=_TWO.faces) for _ in range(5)][-1]
    held = [film.frame((_LEFT,), there=()) for _ in range(60)]
    assert "b" not in {_seen(frame) for frame in held}
    if look != "head":  # its fallback is the card, without holding
        assert all(frame.bgr is last.bgr for frame in held[:14])
    assert film.frame(_TWO.faces, there=()).coverage == 1.0 and film.kinds(1, _TWO.faces, there=()) == "d"


def test_empty_place_holds_the_drawing_for_hold_s() -> None:
    film = _Film("toon")
    last = [film.frame(_TWO.faces, there=_TWO.faces) for _ in range(5)][-1]
    assert all(film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO)).bgr is last.bgr for _ in range(14))
    assert film.kinds(40, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))[-20:] == "d" * 20


def test_whole_frame_drawing_needs_no_fallback() -> None:
    film = _Film("sketch")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    frames = [film.frame((_LEFT,), there=()) for _ in range(20)]
    assert {_seen(frame) for frame in frames} == {"d"} and len({id(frame.bgr) for frame in frames}) == 20


def test_face_found_again_nearby_is_not_lost() -> None:
    """A user who moved while the face was not found is drawn at once, whatever its new id is."""
    film = _Film("faces")
    film.kinds(5, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    side = float(np.ptp(_LEFT.landmarks_xy[:, 1]))
    near = replace(_LEFT, face_id=7, landmarks_xy=_LEFT.landmarks_xy + np.array([1.5 * side, 0], np.float32))
    last = film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    shown = [film.frame((near,), there=(_LEFT,), scene=_half(_TWO)) for _ in range(3)]
    assert all(one.bgr is not last.bgr and not is_smooth(one.bgr) for one in shown)


def test_distant_new_face_does_not_replace_the_lost_one() -> None:
    """The user turns away, and a person behind is found: the user is still there."""
    film = _Film("faces")
    film.kinds(5, (_LEFT,), there=(_LEFT,))
    far = replace(_LEFT, face_id=7, landmarks_xy=_LEFT.landmarks_xy + np.array([SMALL_WH[0] * 0.6, 0], np.float32))
    assert np.ptp(_LEFT.landmarks_xy[:, 1]) * 3.5 < SMALL_WH[0] * 0.6
    assert set(_Film("faces").kinds(3, (far,), there=())) == {"b"}, "alone it is drawn"
    assert "b" not in film.kinds(60, (far,), there=(_LEFT,))


def test_third_face_does_not_replace_the_lost_one() -> None:
    film, left = _Film("faces"), _LEFT.landmarks_xy
    side = float(np.ptp(left[:, 1]))
    beside = replace(_RIGHT, landmarks_xy=left + np.array([1.4 * side, 0], np.float32))
    third = replace(_RIGHT, face_id=9, landmarks_xy=left + np.array([4.5 * side, 0], np.float32))
    for _ in range(5):
        film.frame((_LEFT, beside), there=(_LEFT, beside), scene=_half(_TWO))
    assert "b" not in film.kinds(60, (beside, third), there=(_LEFT, beside, third), scene=_half(_TWO))


def test_briefly_detected_pattern_is_forgotten() -> None:
    film = _Film("faces")
    for _ in range(5):
        film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    film.frame((_LEFT, _RIGHT), there=(_LEFT, _RIGHT), scene=_half(_TWO))
    assert film.kinds(60, (_LEFT,), there=(_LEFT, _RIGHT), scene=_half(_TWO))[-30:] == "d" * 30


def test_lost_face_whose_place_is_empty_is_forgotten() -> None:
    film = _Film("faces")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    moved = replace(_RIGHT, face_id=_LEFT.face_id)
    assert film.kinds(60, (moved,), there=(moved,))[-30:] == "b" * 30, "the picture still shows the left face"


def test_make_up_looks_ignore_lost_faces() -> None:
    looks = {"red": the_looks()["matte-red"]}
    look_loader = LookLoader(looks, runtime="auto", say=print)
    frame_renderer = FrameRenderer(look_loader, Timings(), print, policy=PrivacyPolicy(lambda state: looks["red"]))
    frame_renderer.select(look_loader.load("red"))
    for number, found in enumerate([_TWO.faces, (_LEFT,), (_LEFT,)]):
        frame = Frame(_TWO.bgr.copy(), number, number / 30)
        assert frame_renderer.render(TrackedFrame(frame, found, 1.0), ControlState("red")).bgr is frame.bgr


def _half(scene: Scene) -> Scene:
    """Return the scene after the right person has left."""
    bgr = scene.bgr.copy()
    bgr[:, SMALL_WH[0] // 2 :] = (168, 176, 170)
    return replace(scene, bgr=bgr)
