"""One frame's way: nothing lost from file to file, newest wins live, and every end is quick and clean."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fakes import (
    BrokenSink,
    BrokenSource,
    FakeSource,
    FakeTracker,
    KeepingSink,
    NoSource,
    StuckSink,
    StuckSource,
    WindowLikeSink,
)

from engines.errors import EngineError, SinkError, SourceError, TrackingError, VeneerError
from engines.looks import Look, load_looks
from engines.runtime.base import EngineInfo
from live.controls import Command, Controls
from live.cover import card
from live.frame import Face, Frame, ImageU8
from live.painter import Painter, StageMs
from live.pipeline import Parts, Pipeline
from live.sheet import find_faces
from live.wardrobe import ReadyLayer, ReadyLook, Wardrobe

QUICK_S = 2.5  # "within 2 s", and what a busy machine adds


def numbered(index: int) -> ImageU8:
    """A small frame that carries its number."""
    frame = np.zeros((48, 64, 3), np.uint8)
    frame[:, :, 0] = index % 256
    frame[:, :, 1] = index // 256
    return frame


def number_of(frame: Frame) -> int:
    return int(frame.bgr[0, 0, 0]) + 256 * int(frame.bgr[0, 0, 1])


def pipeline(
    source: Any, sinks: list[Any], *, tracker: Any = None, look: str = "none", looks: Any = None, **more: Any
) -> Pipeline:
    found = looks or load_looks()
    controls = Controls(tuple(found), look=look)
    wardrobe = more.pop("wardrobe", None) or Wardrobe(found, runtime="auto", say=lambda line: None)
    parts = Parts(source, tracker or FakeTracker(), sinks, wardrobe, controls)
    return Pipeline(parts, say=more.pop("say", lambda line: None), **more)


def in_background(run: Pipeline) -> tuple[threading.Thread, list[VeneerError]]:
    errors: list[VeneerError] = []

    def work() -> None:
        try:
            run.run()
        except VeneerError as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread, errors


def test_from_file_to_file_every_frame_comes_out_in_order() -> None:
    source, sink = FakeSource(numbered, frames=300), KeepingSink(slow_s=0.001)
    run = pipeline(source, [sink], tracker=FakeTracker())
    run.run()
    assert [number_of(frame) for frame in sink.frames] == list(range(300))
    assert [frame.frame_id for frame in sink.frames] == list(range(300))
    assert run.dropped == 0
    assert source.closed and sink.closed == 1


def test_live_the_newest_wins_and_losses_are_counted() -> None:
    source = FakeSource(numbered, live=True, interval_s=0.002, frames=300)
    sink = KeepingSink(live=True, slow_s=0.02)
    run = pipeline(source, [sink])
    run.run()
    shown = [number_of(frame) for frame in sink.frames]
    assert sorted(shown) == shown
    assert run.dropped > 100
    assert run.timings.frames_in == 300
    assert len(set(shown)) + run.dropped <= 300


def test_landmarks_belong_to_the_very_frame_they_are_painted_on() -> None:
    """The face is where a mark in the picture says; a look that paints must hit that mark on every frame."""

    def marked(index: int) -> ImageU8:
        frame = np.zeros((200, 400, 3), np.uint8)
        frame[100, 20 + index] = 255
        return frame

    def face_at_mark(frame: Frame) -> tuple[Face, ...]:
        x = int(np.argmax(frame.bgr[100, :, 0]))
        time.sleep(0.004)
        return (Face(0, np.full((478, 2), x, np.float32)),)

    hits: list[bool] = []

    class MarkWardrobe(Wardrobe):
        def prepare(self, name: str) -> ReadyLook:
            return ReadyLook(Look(name, "", ()), (ReadyLayer(1.0, None, None, None),))

    class Watching(Painter):
        """Notes whether the landmarks hit the mark of the frame they came with."""

        def paint(self, frame_bgr: ImageU8, faces: tuple[Face, ...], *_: object, **__: object) -> StageMs:
            hits.append(bool(frame_bgr[100, int(faces[0].landmarks_xy[0, 0]), 0] == 255))
            return StageMs()

    run = pipeline(
        FakeSource(marked, live=True, interval_s=0.002, frames=200),
        [KeepingSink(live=True, slow_s=0.01)],
        tracker=FakeTracker(face_at_mark),
        wardrobe=MarkWardrobe(load_looks(), runtime="auto", say=print),
    )
    run._composer._painter = Watching()
    run.run()
    assert len(hits) > 20
    assert all(hits)


def test_frames_limits_what_goes_out() -> None:
    sink = KeepingSink()
    pipeline(FakeSource(numbered), [sink], frames=17).run()
    assert len(sink.frames) == 17


@pytest.mark.parametrize("error", [SourceError("camera 0", "it is gone", "plug it in"), RuntimeError("driver\nbug")])
def test_a_source_that_raises_ends_the_run_and_says_why(error: Exception) -> None:
    sink = KeepingSink()
    source = BrokenSource(numbered, at=20, error=error)
    started_s = time.monotonic()
    with pytest.raises(SourceError, match="it is gone|RuntimeError: driver") as caught:
        pipeline(source, [sink]).run()
    assert time.monotonic() - started_s < QUICK_S + 5
    assert "\n" not in str(caught.value)
    assert source.closed and sink.closed == 1


def test_a_source_that_cannot_be_opened_says_why_and_is_closed() -> None:
    source = NoSource()
    with pytest.raises(SourceError, match="camera 7: there is no such camera - plug one in"):
        pipeline(source, [KeepingSink()]).run()
    assert source.closed


@pytest.mark.parametrize(("at", "slow_s"), [(-1, 0.0), (0, 0.0), (12, 0.0), (2, 0.3)])
def test_a_sink_that_raises_ends_the_run_and_says_why(at: int, slow_s: float) -> None:
    broken = BrokenSink(at=at, error=OSError(28, "No space left on device"), slow_s=slow_s)
    other = KeepingSink()
    source = FakeSource(numbered)
    with pytest.raises(SinkError, match="broken.*No space left"):
        pipeline(source, [broken, other]).run()
    assert source.closed and broken.closed == 1 and other.closed <= 1


def test_a_tracker_that_raises_ends_the_run_and_says_why() -> None:
    def fail(frame: Frame) -> tuple[Face, ...]:
        raise ValueError("graph is broken")

    with pytest.raises(TrackingError, match="tracker.*graph is broken"):
        pipeline(FakeSource(numbered), [KeepingSink()], tracker=FakeTracker(fail)).run()


@pytest.mark.parametrize("stuck", ["source", "live sink", "file sink", "closing"])
def test_a_thread_that_hangs_for_ever_does_not_hold_up_the_end(stuck: str) -> None:
    source: Any = FakeSource(
        numbered, live=stuck == "live sink", interval_s=0.01, frames=20 if stuck == "closing" else None
    )
    sink: Any = KeepingSink(live=True)
    if stuck == "source":
        source = StuckSource(numbered, at=3)
    else:
        sink = StuckSink(live=stuck == "live sink", where="close" if stuck == "closing" else "send")
    run = pipeline(source, [sink])
    thread, errors = in_background(run)
    assert (source if stuck == "source" else sink).stuck.wait(20)
    started_s = time.monotonic()
    run.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert time.monotonic() - started_s < QUICK_S
    assert errors == []


def test_a_file_gets_every_frame_while_a_window_looks_on() -> None:
    film, window = KeepingSink(slow_s=0.002), WindowLikeSink()
    run = pipeline(FakeSource(numbered, frames=120), [film, window])
    run.run()
    assert [number_of(frame) for frame in film.frames] == list(range(120))
    assert window.closed == 1 and window.frames


def test_the_window_goes_on_while_the_camera_stalls() -> None:
    source, window = StuckSource(numbered, at=3), WindowLikeSink()
    run = pipeline(source, [window])
    thread, _ = in_background(run)
    assert source.stuck.wait(20)
    run.parts.controls.apply(Command("panic", "on"))
    assert window.wait_for(lambda frames: bool(frames) and np.array_equal(frames[-1].bgr, card((64, 48))))
    shown = len(window.frames)
    assert window.wait_for(lambda frames: len(frames) > shown + 3), "and is drawn again: its meter may have changed"
    assert window.pumped > 0, "and its keys are heard"
    run.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("no_face", ["raw", "card"])
def test_a_face_too_small_to_paint_is_covered_where_the_look_covers(portrait_bgr: ImageU8, no_face: str) -> None:
    small = np.asarray(portrait_bgr[::8, ::8]).copy()
    landmarks_xy = find_faces(portrait_bgr)[0].landmarks_xy / 8
    look = load_looks()["matte-red"]
    looks = {"mine": replace(look, name="mine", no_face=no_face)}
    sink = KeepingSink()
    tracker = FakeTracker(lambda frame: (Face(0, landmarks_xy),))
    pipeline(FakeSource(lambda index: small, frames=3), [sink], tracker=tracker, looks=looks, look="mine").run()
    shown = small if no_face == "raw" else card((64, 64))
    assert all(np.array_equal(frame.bgr, shown) for frame in sink.frames)


class SlowWardrobe(Wardrobe):
    """A wardrobe that takes for ever, like a library that hangs while loading."""

    def prepare(self, name: str) -> ReadyLook:
        threading.Event().wait()
        raise AssertionError


def test_the_end_comes_quickly_while_the_look_is_still_being_made() -> None:
    run = pipeline(
        FakeSource(numbered), [KeepingSink()], wardrobe=SlowWardrobe(load_looks(), runtime="auto", say=print)
    )
    thread, _ = in_background(run)
    time.sleep(0.2)
    started_s = time.monotonic()
    run.stop()
    thread.join(10)
    assert time.monotonic() - started_s < QUICK_S


def test_a_live_sink_gets_the_last_frame_again_while_nothing_comes() -> None:
    source, sink = StuckSource(numbered, at=3), KeepingSink(live=True)
    run = pipeline(source, [sink])
    thread, _ = in_background(run)
    assert sink.wait_for(lambda frames: len(frames) > 20)
    run.stop()
    thread.join(10)
    assert [number_of(frame) for frame in sink.frames[-5:]] == [2] * 5
    assert run.timings.frames_out <= 3, "repeated frames are not counted"


def test_panic_shows_the_card_even_while_the_source_hangs() -> None:
    source, sink = StuckSource(numbered, at=3), KeepingSink(live=True)
    run = pipeline(source, [sink])
    thread, _ = in_background(run)
    assert source.stuck.wait(20) and sink.wait_for(lambda frames: len(frames) > 3)
    run.parts.controls.apply(Command("panic", "on"))
    paused = card((64, 48))
    assert sink.wait_for(lambda frames: np.array_equal(frames[-1].bgr, paused))
    first = next(i for i, frame in enumerate(sink.frames) if np.array_equal(frame.bgr, paused))
    assert all(np.array_equal(frame.bgr, paused) for frame in sink.frames[first:])
    run.parts.controls.apply(Command("panic", "off"))
    assert sink.wait_for(lambda frames: number_of(frames[-1]) == 2)
    run.stop()
    thread.join(10)


def test_freeze_keeps_the_picture_and_mirror_turns_it() -> None:
    def ramp(index: int) -> ImageU8:
        frame = numbered(index)
        frame[:, :, 2] = np.arange(64, dtype=np.uint8)
        return frame

    source, sink = FakeSource(ramp, live=True, interval_s=0.01), KeepingSink(live=True)
    run = pipeline(source, [sink])
    thread, _ = in_background(run)
    controls = run.parts.controls
    assert sink.wait_for(lambda frames: len(frames) > 5)
    controls.apply(Command("freeze", "on"))
    count = len(sink.frames)
    assert sink.wait_for(lambda frames: len(frames) > count + 15)
    assert len({number_of(frame) for frame in sink.frames[-8:]}) == 1
    controls.apply(Command("freeze", "off"))
    controls.apply(Command("mirror", "on"))
    assert sink.wait_for(lambda frames: frames[-1].bgr[0, 0, 2] == 63)
    controls.apply(Command("quit"))
    thread.join(10)
    assert not thread.is_alive()


class NanEngine:
    """Stands in for an engine that broke: everything it paints is NaN."""

    info = EngineInfo("lips-nan", "fake", "fp16", "nowhere", "a test")

    def infer(self, regions_bgr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full(regions_bgr.shape, np.nan, np.float32)

    def close(self) -> None: ...


def engine_fails(regions_bgr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    raise EngineError("style lips-nan", "the device is gone")


@pytest.mark.parametrize("infer", [NanEngine.infer, lambda self, crops: engine_fails(crops)])
@pytest.mark.parametrize("no_face", ["raw", "card"])
def test_an_engine_that_fails_shows_what_the_look_says_and_the_frames_go_on(
    portrait_bgr: ImageU8, infer: Callable[..., Any], no_face: str
) -> None:
    faces = find_faces(portrait_bgr)
    engine = type("Engine", (NanEngine,), {"infer": infer})()

    class Broken(Wardrobe):
        def prepare(self, name: str) -> ReadyLook:
            return ReadyLook(
                Look(name, "", (), no_face), (ReadyLayer(1.0, engine, None, (90, 30), (113.0, 118.0, 186.0)),)
            )

    said: list[str] = []
    sink = KeepingSink()
    pipeline(
        FakeSource(lambda index: portrait_bgr, frames=10),
        [sink],
        tracker=FakeTracker(lambda frame: faces),
        wardrobe=Broken(load_looks(), runtime="auto", say=said.append),
        say=said.append,
    ).run()
    assert len(sink.frames) == 10
    shown = portrait_bgr if no_face == "raw" else card((512, 512))
    assert all(np.array_equal(frame.bgr, shown) for frame in sink.frames)
    assert len(said) == 1 and "lips-nan" in said[0]


def test_a_switch_shows_on_the_next_frame(portrait_bgr: ImageU8) -> None:
    """The look is changed while frame 5 is handed on; frame 6 wears the new one, and no later frame the old one."""
    looks = load_looks()
    faces = find_faces(portrait_bgr)
    sink = KeepingSink()
    found = {name: looks[name] for name in ("none", "matte-red")}

    def switch(frame: Frame, state: object) -> None:
        if frame.frame_id == 5:
            run.parts.controls.apply(Command("look", "matte-red"))

    run = pipeline(
        FakeSource(lambda index: portrait_bgr, frames=12),
        [sink],
        tracker=FakeTracker(lambda frame: faces),
        looks=found,
        on_frame=switch,
    )
    run.parts.wardrobe.prepare("matte-red")
    run.run()
    worn = [not np.array_equal(frame.bgr, portrait_bgr) for frame in sink.frames]
    assert worn == [False] * 6 + [True] * 6
