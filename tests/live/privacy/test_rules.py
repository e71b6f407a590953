"""The privacy policy's rules, and the shipped looks with the real tracker and networks."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from support.fakes import FakeSource, KeepingSink
from support.head_parts import portrait_face, portrait_person
from support.never_bare_judge import is_smooth
from support.never_bare_parts import TroubledLookLoader, Troubles, the_looks

from engines.looks import Look
from engines.looks_file import load_looks
from live.control.controls import Controls, ControlState
from live.pipeline.frame import Frame, ImageU8, TrackedFrame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.timing import Timings
from live.render.frame_renderer import FrameRenderer
from live.render.look_loader import LookLoader
from live.render.privacy_fallback import blurred
from live.render.privacy_policy import PrivacyPolicy, required_coverage
from live.tracking.face_mesh import FaceMeshTracker


def _renderer(look: str) -> tuple[FrameRenderer, LookLoader, dict[str, Look]]:
    looks = the_looks()
    look_loader = TroubledLookLoader(looks, Troubles(), slow_s=0.0, broken="")
    frame_renderer = FrameRenderer(look_loader, Timings(), print, policy=PrivacyPolicy(lambda state: looks[state.look]))
    frame_renderer.select(look_loader.load(look))
    return frame_renderer, look_loader, looks


def _tracked(number: int, *, found: bool = True) -> TrackedFrame:
    bgr, face = portrait_face()
    return TrackedFrame(Frame(bgr, number, number / 30), (face,) * found, 1.0, portrait_person())


def test_frame_held_at_lower_strength_is_not_reused() -> None:
    frame_renderer, *_ = _renderer("toon")
    faint = frame_renderer.render(_tracked(0), ControlState("toon", strength=0.3))
    assert faint.coverage == pytest.approx(0.3)
    held = frame_renderer.render(_tracked(1, found=False), ControlState("toon", strength=0.3))
    assert held.bgr is faint.bgr and (faint.shown, held.shown) == ("picture", "hold")
    raised = frame_renderer.render(_tracked(2, found=False), ControlState("toon", strength=1.0))
    assert is_smooth(raised.bgr) and raised.coverage == 1.0


def test_bare_face_is_hidden_once_a_covering_look_is_selected() -> None:
    toon, sketch = the_looks()["toon"], the_looks()["sketch"]
    looks = {"easy": replace(toon, name="easy", layers=toon.layers[1:], no_face="raw"), "sketch": sketch}
    look_loader = TroubledLookLoader(looks, Troubles(), slow_s=0.0, broken="")
    frame_renderer = FrameRenderer(look_loader, Timings(), print, policy=PrivacyPolicy(lambda state: looks[state.look]))
    frame_renderer.select(look_loader.load("easy"))
    far = _tracked(0)
    away = (replace(far.faces[0], landmarks_xy=far.faces[0].landmarks_xy + np.float32(1000)),)
    easy = frame_renderer.render(replace(far, faces=away), ControlState("easy"))
    assert np.array_equal(easy.bgr, portrait_face()[0]) and easy.coverage == 0.0
    waiting = frame_renderer.render(replace(_tracked(1), faces=away), ControlState("sketch"))
    assert is_smooth(waiting.bgr), "the sketch is not loaded, and the previous look hides nothing"


def test_held_frame_stays_mirrored() -> None:
    frame_renderer, *_ = _renderer("toon")
    shown = frame_renderer.render(_tracked(0), ControlState("toon", mirror=True))
    assert frame_renderer.render(_tracked(1, found=False), ControlState("toon", mirror=True)).bgr is shown.bgr


def test_strength_zero_shows_the_bare_face() -> None:
    frame_renderer, *_ = _renderer("toon")
    shown = frame_renderer.render(_tracked(0), ControlState("toon", strength=0.0))
    assert np.array_equal(shown.bgr, portrait_face()[0]) and shown.coverage == 0.0 and shown.shown == "raw"
    lost = frame_renderer.render(_tracked(30, found=False), ControlState("toon", strength=0.0))
    assert is_smooth(lost.bgr) or lost.bgr is shown.bgr


def test_hold_time_is_measured_in_film_time() -> None:
    """The result does not depend on the processing speed."""
    frame_renderer, *_ = _renderer("toon")
    bgr, _ = portrait_face()
    first = frame_renderer.render(replace(_tracked(0), frame=Frame(bgr, 0, 0.0, 10.0)), ControlState("toon"))
    for number, (captured_s, pts_s, held) in enumerate([(60.0, 10.4, True), (0.1, 10.6, False), (0.1, 9.0, False)], 1):
        lost = replace(_tracked(number, found=False), frame=Frame(bgr.copy(), number, captured_s, pts_s))
        assert (frame_renderer.render(lost, ControlState("toon")).bgr is first.bgr) is held


def test_only_covering_looks_require_coverage() -> None:
    looks = the_looks()
    required = {name: required_coverage(look, 0.8) for name, look in looks.items()}
    assert required.pop("none") == required.pop("matte-red") == 0.0
    assert set(required.values()) == {0.8}
    assert required_coverage(replace(looks["toon"], then="raw"), 1.0) == 0.0
    assert required_coverage(replace(looks["toon"], no_face="raw"), 1.0) == 0.0


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # not errors outside the tests
def test_invalid_mouth_landmark_shows_the_fallback() -> None:
    looks = {"red": replace(the_looks()["matte-red"], name="red", no_face="blur")}
    look_loader = LookLoader(looks, runtime="auto", say=print)
    frame_renderer = FrameRenderer(look_loader, Timings(), print)
    frame_renderer.select(look_loader.load("red"))
    whole = _tracked(0)
    assert not is_smooth(frame_renderer.render(whole, ControlState("red")).bgr)
    for value in (np.nan, np.inf, 1e7):
        torn_xy = whole.faces[0].landmarks_xy.copy()
        torn_xy[13] = value  # the middle of the upper lip
        torn = replace(_tracked(1), faces=(replace(whole.faces[0], landmarks_xy=torn_xy),))
        assert is_smooth(frame_renderer.render(torn, ControlState("red")).bgr), value


@pytest.mark.parametrize("size_wh", [(640, 480), (1280, 720), (1920, 1080)])
def test_blur_keeps_16_cells_at_every_frame_size(size_wh: tuple[int, int]) -> None:
    close_bgr = cv2.resize(portrait_face()[0][40:300, 120:380], size_wh)  # only the face
    soft = blurred(close_bgr)
    cells = cv2.resize(soft, (16, 16 * size_wh[1] // size_wh[0]), interpolation=cv2.INTER_AREA)
    again = cv2.resize(cells, size_wh, interpolation=cv2.INTER_CUBIC)
    assert int(np.abs(soft.astype(int) - again).max()) < 26


def test_a_held_frame_expires_when_time_runs_backwards() -> None:
    look_loader = TroubledLookLoader(the_looks(), Troubles(), slow_s=0.0, broken="")
    policy, toon = PrivacyPolicy(), look_loader.load("toon")
    painted = Frame(np.full((48, 64, 3), 9, np.uint8), 0, 100.0)
    assert policy.after_painting(painted, toon, 1.0, bare_faces=0).coverage == 1.0
    for captured_s, held in ((100.3, True), (40.0, False)):
        later = replace(painted, bgr=painted.bgr.copy(), captured_s=captured_s)
        assert (policy.after_painting(later, toon, 1.0, bare_faces=None).bgr is painted.bgr) is held


@pytest.mark.parametrize("look", ["toon", "sketch", "toon-glaze"])
def test_shipped_drawn_looks_cover_a_moving_face(look: str, portrait_bgr: ImageU8) -> None:
    """The portrait moves, jumps, shrinks and leaves; the face is always drawn or blurred."""
    looks = {look: load_looks()[look]}
    pictures, places = _walk(portrait_bgr)
    sink = KeepingSink()
    look_loader = LookLoader(looks, runtime="auto", say=print)
    source = FakeSource(lambda index: pictures[index], frames=len(pictures))
    Pipeline(Parts(source, FaceMeshTracker(), [sink], look_loader, Controls(tuple(looks), look=look)), say=print).run()
    assert len(sink.frames) == len(pictures)
    alike = []
    for frame, picture, (x, y, side) in zip(sink.frames, pictures, places, strict=True):
        face = np.s_[y : y + side, x : x + side]
        if side:
            alike.append(float((np.abs(frame.bgr[face].astype(int) - picture[face]).max(2) <= 3).mean()))
    assert len(alike) > 30
    assert max(alike) < 0.35, "no frame shows the captured face"


def _walk(portrait_bgr: ImageU8) -> tuple[list[ImageU8], list[tuple[int, int, int]]]:
    """Return 480x360 frames, and the square inside the face on each (side 0 without a face)."""
    pictures, places = [], []
    for index in range(56):
        scale = 0.7 if index < 24 else 0.35
        x = [120, 120, 10, 240][index // 6 % 4] if index < 24 else 60 + 4 * index
        matrix = np.array([[scale, 0, x - 60 * scale], [0, scale, 0]], np.float32)
        gone = 40 <= index < 46
        picture = np.full((360, 480, 3), (168, 176, 170), np.uint8)
        if not gone:
            cv2.warpAffine(portrait_bgr, matrix, (480, 360), dst=picture, borderMode=cv2.BORDER_TRANSPARENT)
        left, top, side = x + (190 - 60) * scale, 90 * scale, 70 * scale
        pictures.append(picture)
        places.append((0, 0, 0) if gone else (round(left), round(top), round(side)))
    return pictures, places
