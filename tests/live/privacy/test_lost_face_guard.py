"""Of several faces one is not found any more: it does not go on bare while the other is drawn."""

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
    """Frames of one scene, 30 a second, in that look; whoever is named is found, the person mask shows whom it does."""

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
        """b(are), d(rawn), c(ard), s(oft), a letter a frame."""
        made = (self.frame(found, there=there, scene=scene) for _ in range(frames))
        return "".join("c" if is_card(one) else "s" if is_smooth(one.bgr) else _seen(one) for one in made)


def _seen(frame: Frame) -> str:
    return "b" if bareness(frame.bgr)[0] > 0.3 else "d"


def _faces_alone() -> Look:
    """A look that draws faces and nothing of whom they belong to."""
    toon = the_looks()["toon"]
    style = replace(toon.layers[1].style, region="face")  # type: ignore[type-var]
    return replace(toon, name="faces", layers=(Layer(style, 1.0),))


def _persons(faces: tuple[Face, ...]) -> ImageU8:
    mask = np.zeros((SMALL_WH[1], SMALL_WH[0]), np.uint8)
    for face in faces:
        left, top = np.maximum(face.landmarks_xy.min(0).astype(int) - 12, 0)
        mask[top:, left : int(face.landmarks_xy[:, 0].max()) + 12] = 255
    return mask


def test_the_stand_in_draws_what_is_found_and_the_judge_sees_who_is_not() -> None:
    film = _Film("head")
    assert film.kinds(1, _TWO.faces, there=_TWO.faces) == "d"
    assert _Film("head").kinds(1, (_LEFT,), there=_TWO.faces) == "b", "whom nobody ever found nobody can miss"


@pytest.mark.parametrize(("look", "instead"), [("head", "c"), ("faces", "s")])
def test_who_is_not_found_is_covered_until_found_again(look: str, instead: str) -> None:
    film = _Film(look)
    assert film.kinds(5, _TWO.faces, there=_TWO.faces) == "ddddd"
    held = film.kinds(90, (_LEFT,), there=_TWO.faces)
    assert "b" not in held and held[-60:] == instead * 60, "the drawing may be held at first, then what follows comes"
    assert film.kinds(5, _TWO.faces, there=_TWO.faces) == "ddddd"


def test_who_has_gone_is_forgotten_after_the_looks_own_time() -> None:
    film = _Film("faces")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    shown = film.kinds(40, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    assert set(shown) == {"d"} and film.frame((_LEFT,), there=(_LEFT,)).bgr is not None
    assert film.kinds(1, (_LEFT,), there=_TWO.faces) == "b", "forgotten"


def test_where_the_person_is_drawn_the_picture_goes_on() -> None:
    film = _Film("toon")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    frames = [film.frame((_LEFT,), there=_TWO.faces) for _ in range(40)]
    assert {_seen(frame) for frame in frames} == {"d"} and len({id(frame.bgr) for frame in frames}) == 40


@pytest.mark.parametrize("look", ["head", "faces", "toon"])
def test_whoever_looks_for_persons_and_does_not_even_see_the_other_one_is_not_believed(look: str) -> None:
    film = _Film(look)
    last = [film.frame(_TWO.faces, there=_TWO.faces) for _ in range(5)][-1]
    held = [film.frame((_LEFT,), there=()) for _ in range(60)]
    assert "b" not in {_seen(frame) for frame in held}
    if look != "head":  # which says card at once
        assert all(frame.bgr is last.bgr for frame in held[:14])
    assert film.frame(_TWO.faces, there=()).coverage == 1.0 and film.kinds(1, _TWO.faces, there=()) == "d"


def test_where_the_place_shows_nobody_the_last_drawing_is_held_for_the_looks_own_time() -> None:
    film = _Film("toon")
    last = [film.frame(_TWO.faces, there=_TWO.faces) for _ in range(5)][-1]
    assert all(film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO)).bgr is last.bgr for _ in range(14))
    assert film.kinds(40, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))[-20:] == "d" * 20


def test_a_frame_that_is_drawn_everywhere_misses_nobody() -> None:
    film = _Film("sketch")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    frames = [film.frame((_LEFT,), there=()) for _ in range(20)]
    assert {_seen(frame) for frame in frames} == {"d"} and len({id(frame.bgr) for frame in frames}) == 20


def test_whoever_is_found_again_elsewhere_is_not_missed() -> None:
    """A wearer who stands up, or moved while nobody found the face, is drawn at once, with whatever number."""
    film = _Film("faces")
    film.kinds(5, (_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    side = float(np.ptp(_LEFT.landmarks_xy[:, 1]))
    near = replace(_LEFT, face_id=7, landmarks_xy=_LEFT.landmarks_xy + np.array([1.5 * side, 0], np.float32))
    last = film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    shown = [film.frame((near,), there=(_LEFT,), scene=_half(_TWO)) for _ in range(3)]
    assert all(one.bgr is not last.bgr and not is_smooth(one.bgr) for one in shown)


def test_another_face_far_off_is_not_taken_for_the_one_that_is_missing() -> None:
    """The wearer turns away, and a second person behind is found: the wearer still sits there."""
    film = _Film("faces")
    film.kinds(5, (_LEFT,), there=(_LEFT,))
    far = replace(_LEFT, face_id=7, landmarks_xy=_LEFT.landmarks_xy + np.array([SMALL_WH[0] * 0.6, 0], np.float32))
    assert np.ptp(_LEFT.landmarks_xy[:, 1]) * 3.5 < SMALL_WH[0] * 0.6
    assert set(_Film("faces").kinds(3, (far,), there=(_LEFT,))) == {"b"}, "on its own it is drawn"
    assert film.kinds(60, (far,), there=(_LEFT,))[-30:] == "s" * 30


def test_a_third_who_comes_does_not_stand_in_for_the_one_beside_whom_a_known_one_still_sits() -> None:
    film, left = _Film("faces"), _LEFT.landmarks_xy
    side = float(np.ptp(left[:, 1]))
    beside = replace(_RIGHT, landmarks_xy=left + np.array([1.4 * side, 0], np.float32))
    third = replace(_RIGHT, face_id=9, landmarks_xy=left + np.array([4.5 * side, 0], np.float32))
    for _ in range(5):
        film.frame((_LEFT, beside), there=(_LEFT, beside), scene=_half(_TWO))
    shown = [film.frame((beside, third), there=(_LEFT, beside, third), scene=_half(_TWO)) for _ in range(60)]
    assert all(is_smooth(frame.bgr) for frame in shown[-30:])


def test_a_pattern_that_was_taken_for_a_face_for_a_moment_is_soon_forgotten() -> None:
    film = _Film("faces")
    for _ in range(5):
        film.frame((_LEFT,), there=(_LEFT,), scene=_half(_TWO))
    film.frame((_LEFT, _RIGHT), there=(_LEFT, _RIGHT), scene=_half(_TWO))
    assert film.kinds(60, (_LEFT,), there=(_LEFT, _RIGHT), scene=_half(_TWO))[-30:] == "d" * 30


def test_whoever_stands_now_where_another_one_left_is_not_taken_for_that_one() -> None:
    film = _Film("faces")
    film.kinds(5, _TWO.faces, there=_TWO.faces)
    moved = replace(_RIGHT, face_id=_LEFT.face_id)
    assert film.kinds(60, (moved,), there=(moved,))[-30:] == "b" * 30, "the judge's picture still shows the left one"


def test_what_make_up_misses_is_no_reason_to_hold() -> None:
    looks = {"red": the_looks()["matte-red"]}
    look_loader = LookLoader(looks, runtime="auto", say=print)
    frame_renderer = FrameRenderer(look_loader, Timings(), print, policy=PrivacyPolicy(lambda state: looks["red"]))
    frame_renderer.select(look_loader.load("red"))
    for number, found in enumerate([_TWO.faces, (_LEFT,), (_LEFT,)]):
        frame = Frame(_TWO.bgr.copy(), number, number / 30)
        assert frame_renderer.render(TrackedFrame(frame, found, 1.0), ControlState("red")).bgr is frame.bgr


def _half(scene: Scene) -> Scene:
    """The scene after the right one has left."""
    bgr = scene.bgr.copy()
    bgr[:, SMALL_WH[0] // 2 :] = (168, 176, 170)
    return replace(scene, bgr=bgr)
