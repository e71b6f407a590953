"""Each cause of a bare face on its own, with the real pipeline, its threads and a real face."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
from support.never_bare_parts import TroubledLookLoader
from support.never_bare_show import Show, bare, drawn, hang, is_card, soft
from support.pipeline_parts import ends_soon

from live.control.controls import Command
from live.pipeline.frame import Frame
from live.render.look_loader import LoadedLook

# Outside the tests a warning is not an error, so it must not be what keeps a frame from being shown.
as_users_run_it = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture
def show() -> Iterator[Callable[..., Show]]:
    shows: list[Show] = []

    def start(*words: Any, **more: Any) -> Show:
        shows.append(Show(*words, **more))
        return shows[-1]

    yield start
    for one in shows:
        one.troubles.tracker_s = one.troubles.engine_s = 0.0
        one.end()


@pytest.mark.parametrize("stage", ["source", "tracker", "engine"])
def test_hanging_stage_holds_then_blurs_and_panic_works(
    show: Callable[..., Show], stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    it = show("toon")
    it.see(drawn)
    assert it.run.sinks.shown == "picture"
    stuck = hang(it, stage, monkeypatch)
    count = len(it.camera.frames)
    it.see(soft)
    held = it.camera.frames[count : next(i for i in range(count, 10**6) if soft(it.camera.frames[i]))]
    assert held and all(drawn(frame) for frame in held), "the drawing is held first"
    assert it.run.sinks.shown == "blur"
    it.controls.apply(Command("panic", "on"))
    begun = [len(sink.frames) for sink in (it.camera, it.window)]
    it.see(is_card)
    for sink, at in zip((it.camera, it.window), begun, strict=True):
        assert all(is_card(frame) for frame in sink.frames[at + 1 :]), "one frame may already have been sent"
    it.controls.apply(Command("panic", "off"))
    it.see(soft)
    it.run.stop()
    assert ends_soon(it.thread)
    stuck.released.set()


def test_repeated_bare_picture_is_hidden_by_a_covering_look(
    show: Callable[..., Show], monkeypatch: pytest.MonkeyPatch
) -> None:
    it = show("none")
    it.see(bare)
    stuck = hang(it, "tracker", monkeypatch)
    time.sleep(0.7)
    assert bare(it.camera.frames[-1]), "without a covering look, the picture is repeated"
    it.controls.apply(Command("look", "sketch"))
    begun = [len(sink.frames) for sink in (it.camera, it.window)]
    it.see(soft)
    for sink, at in zip((it.camera, it.window), begun, strict=True):
        assert not any(bare(frame) for frame in sink.frames[at + 1 :])
    stuck.released.set()


@pytest.mark.parametrize("broken", ["", "sketch"])
def test_covering_look_is_a_blur_until_loaded(
    show: Callable[..., Show], broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, may_be_made = TroubledLookLoader.load, threading.Event()

    def load(look_loader: TroubledLookLoader, name: str) -> LoadedLook:
        assert name != "sketch" or may_be_made.wait(60)
        return real(look_loader, name)

    monkeypatch.setattr(TroubledLookLoader, "load", load)
    it = show("none", broken=broken)
    it.see(bare)
    it.controls.apply(Command("look", "sketch"))
    at = len(it.camera.frames)
    it.see(soft)
    may_be_made.set()
    if broken:
        reported = it.camera.wait_for(
            lambda _: any("sketch" in line and "cannot be made" in line for line in it.messages)
        )
        after = len(it.camera.frames)
        assert reported and it.camera.wait_for(lambda frames: len(frames) > after + 60)
        assert soft(it.camera.frames[-1])
    else:
        it.see(drawn)
    assert not any(bare(frame) for frame in it.camera.frames[at + 1 :])


def test_previous_covering_look_is_used_while_loading(show: Callable[..., Show]) -> None:
    it = show("toon", slow_s=0.1)
    at = it.see(drawn)
    it.controls.apply(Command("look", "sketch"))
    assert it.camera.wait_for(lambda frames: len({frame.frame_id for frame in frames[at:]}) > 30)
    # Repeated frames are skipped: on a slow machine they may be too old to be shown.
    new = [frame for before, frame in pairwise(it.camera.frames[at - 1 :]) if frame.frame_id != before.frame_id]
    assert all(drawn(frame) for frame in new)
    assert not any(bare(frame) for frame in it.camera.frames[at:])


def _is_frozen(frames: list[Frame]) -> bool:
    """Whether different frames were sent with the same picture."""
    return len(frames) > 9 and frames[-1].bgr is frames[-9].bgr and frames[-1].frame_id > frames[-9].frame_id


def test_frozen_bare_picture_is_hidden_and_drawing_stays(
    show: Callable[..., Show],
) -> None:
    it = show("none")
    it.see(bare)
    it.controls.apply(Command("freeze", "on"))
    assert it.camera.wait_for(_is_frozen), "the picture is frozen"
    it.controls.apply(Command("look", "toon"))
    it.see(soft)
    it.controls.apply(Command("freeze", "off"))
    it.see(drawn)
    it.controls.apply(Command("freeze", "on"))
    assert it.camera.wait_for(_is_frozen)
    at = it.see(drawn)
    assert it.camera.wait_for(lambda frames: len(frames) > at + 60), "longer than a picture may be repeated"
    assert all(drawn(frame) for frame in it.camera.frames[at:])
    assert len({frame.bgr.tobytes() for frame in it.camera.frames[at:]}) == 1


def _held_s(it: Show) -> float:
    """Lose the face; return how long the drawing was held, by capture time."""
    at = it.see(drawn)
    it.troubles.faces = "lost"
    it.see(soft)
    frames = it.camera.frames[at - 1 :]
    last = max(index for index, frame in enumerate(frames) if drawn(frame))
    same = [frame for frame in frames if frame.bgr is frames[last].bgr]
    it.troubles.faces = "found"
    it.see(drawn)
    return same[-1].captured_s - same[0].captured_s


def test_frozen_drawing_stays_after_one_strength_step(show: Callable[..., Show]) -> None:
    it = show("toon")
    it.controls.apply(Command("strength", 0.9))
    it.see(drawn)
    it.controls.apply(Command("freeze", "on"))
    assert it.camera.wait_for(_is_frozen)
    at = it.see(drawn)
    it.controls.apply(Command("strength", "+"))
    assert it.camera.wait_for(lambda frames: len(frames) > at + 60)
    assert all(drawn(frame) for frame in it.camera.frames[at:])


def test_lost_face_is_held_for_half_a_second_at_most(show: Callable[..., Show]) -> None:
    it = show("toon")
    held_s = [_held_s(it)]
    while held_s[-1] <= 0.1 and len(held_s) < 10:  # the machine stalled, and no frame was captured meanwhile
        held_s.append(_held_s(it))
    assert held_s[-1] > 0.1 and max(held_s) <= 0.5
    assert not any(bare(frame) for frame in it.camera.frames)


def test_panic_works_after_the_clock_is_set_back(show: Callable[..., Show], monkeypatch: pytest.MonkeyPatch) -> None:
    it = show("toon")
    it.see(drawn)
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() - 3600.0)
    it.controls.apply(Command("panic", "on"))
    it.see(is_card)
    it.controls.apply(Command("panic", "off"))
    it.see(drawn)


@as_users_run_it
@pytest.mark.parametrize("engine", ["nan", "raises", "breaks", "flat", "narrow", "short", "bytes", "nothing"])
def test_invalid_engine_output_shows_the_fallback(show: Callable[..., Show], engine: str) -> None:
    it = show("head")
    it.see(drawn)
    it.troubles.engine = engine
    at = it.see(is_card)
    it.camera.wait_for(lambda frames: len(frames) > at + 10)
    it.troubles.engine = "well"
    it.see(drawn)
    assert not any(bare(frame) for frame in it.camera.frames)
    reported = [line for line in it.messages if "viewers see a still card" in line]
    assert 1 <= len(reported) <= 3 and all("\n" not in line for line in reported)


@as_users_run_it
@pytest.mark.parametrize("unsure", ["nan", "collapsed", "twisted", "huge", "short", "away", "tiny"])
def test_one_implausible_face_of_two_covers_the_frame(show: Callable[..., Show], unsure: str) -> None:
    it = show("always")
    it.troubles.people = 2
    it.see(drawn)
    it.troubles.faces = unsure
    at = it.see(soft)
    it.camera.wait_for(lambda frames: len(frames) > at + 10)
    assert all(soft(frame) for frame in it.camera.frames[at:])
    it.troubles.faces = "found"
    it.see(drawn)
    assert not any(bare(frame) for frame in it.camera.frames)
