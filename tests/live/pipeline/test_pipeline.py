"""The pipeline: lossless for films, newest frame wins live, and controls act at once."""

from __future__ import annotations

import gc
import time
from dataclasses import replace

import numpy as np
import pytest
from support.fakes import (
    BrokenSink,
    FakeSource,
    FakeTracker,
    KeepingSink,
    StuckSource,
    WindowLikeSink,
)
from support.pipeline_parts import in_background, number_of, numbered, pipeline

from engines.generators.shade import Shade
from engines.looks import Look
from engines.looks_file import load_looks
from live.control.controls import Command
from live.pipeline.frame import Face, Frame, ImageU8
from live.pipeline.report import run_report
from live.render.look_loader import LoadedLayer, LoadedLook, LookLoader
from live.render.look_tile import find_faces
from live.render.painter import Painter, PaintStats
from live.render.privacy_fallback import card


def test_film_keeps_every_frame_in_order() -> None:
    source, sink = FakeSource(numbered, frames=300), KeepingSink(slow_s=0.001)
    run = pipeline(source, [sink], tracker=FakeTracker())
    run.run()
    assert [number_of(frame) for frame in sink.frames] == list(range(300))
    assert [frame.frame_id for frame in sink.frames] == list(range(300))
    assert run.dropped == 0
    assert source.closed and sink.closed == 1


def test_loaded_objects_are_excluded_from_collections() -> None:
    """A full collection would stop all threads for 50 ms."""
    left_out: list[int] = []
    before = gc.get_freeze_count()
    pipeline(
        FakeSource(numbered, frames=20), [KeepingSink()], on_frame=lambda *_: left_out.append(gc.get_freeze_count())
    ).run()
    assert left_out[-1] > 10_000 and gc.get_freeze_count() == before


def test_live_newest_frame_wins_and_losses_are_counted() -> None:
    source = FakeSource(numbered, live=True, interval_s=0.002, frames=300)

    class SlowSink(KeepingSink):
        """Takes as long for one frame as the source takes for ten, on any machine."""

        def send(self, frame: Frame) -> None:
            until = min(300, source.index + 10)
            while source.index < until:
                time.sleep(0.002)
            super().send(frame)

    sink = SlowSink(live=True)
    run = pipeline(source, [sink])
    run.run()
    shown = [number_of(frame) for frame in sink.frames]
    assert sorted(shown) == shown
    assert run.dropped > 100
    assert run.timings.frames_in == 300
    assert len(set(shown)) + run.dropped == 300, "the last frame is shown"


@pytest.mark.parametrize("ends", ["film", "camera", "quit", "stop", "failing sink"])
def test_report_accounts_for_every_frame(ends: str) -> None:
    """Slow sinks and trackers drop frames everywhere; at most one frame is in flight at each of eight places."""
    live = ends != "film"
    source = FakeSource(numbered, live=live, interval_s=0.002, frames=400 if ends in ("film", "camera") else None)

    def slow(frame: Frame) -> tuple[Face, ...]:
        time.sleep(0.004 * live)
        return ()

    first: KeepingSink = KeepingSink(live=live, slow_s=0.02 * live)
    if ends == "failing sink":
        first = BrokenSink(at=20, error=OSError(28, "No space left on device"), slow_s=0.02)
        first.live = True
    second = KeepingSink(live=True, slow_s=0.03)
    run = pipeline(source, [first, second], tracker=FakeTracker(slow), fps=120)
    thread, errors = in_background(run)
    if ends in ("quit", "stop"):
        assert first.wait_for(lambda frames: len(frames) > 20)
        run.parts.controls.apply(Command("quit")) if ends == "quit" else run.stop()
    thread.join(60)
    report = run_report(run)
    assert report["frames_in"] == report["frames_out"] + report["dropped"] + report["in_flight"]
    assert 0 <= report["in_flight"] <= (8 if ends not in ("film", "camera") else 0)
    assert report["frames_in"] in (source.index, source.index - 1), "a frame that is read at the end is not counted"
    assert (report["dropped"] == 0) is (ends == "film")
    one, other = report["sinks"]
    assert one["frames"] == report["frames_out"] and other["dropped"] > 5 and bool(errors) is (ends == "failing sink")


def test_landmarks_belong_to_the_painted_frame() -> None:
    """The face lies at a mark in the picture; painting must hit the mark on every frame."""

    def marked(index: int) -> ImageU8:
        frame = np.zeros((200, 400, 3), np.uint8)
        frame[100, 20 + index] = 255
        return frame

    def face_at_mark(frame: Frame) -> tuple[Face, ...]:
        x = int(np.argmax(frame.bgr[100, :, 0]))
        time.sleep(0.004)
        return (Face(0, np.full((478, 2), x, np.float32)),)

    hits: list[bool] = []

    class MarkLookLoader(LookLoader):
        def load(self, name: str) -> LoadedLook:
            return LoadedLook(Look(name, "", ()), (LoadedLayer(Shade.parse("#b3122b", "matte"), 1.0, None),))

    class Watching(Painter):
        """Records whether the landmarks match the mark of their frame."""

        def paint(self, frame_bgr: ImageU8, faces: tuple[Face, ...], *_: object, **__: object) -> PaintStats:
            hits.append(bool(frame_bgr[100, int(faces[0].landmarks_xy[0, 0]), 0] == 255))
            return PaintStats()

    run = pipeline(
        FakeSource(marked, live=True, interval_s=0.002, frames=200),
        [KeepingSink(live=True, slow_s=0.01)],
        tracker=FakeTracker(face_at_mark),
        look_loader=MarkLookLoader(load_looks(), runtime="auto", say=print),
    )
    run._renderer._painter = Watching()
    run.run()
    assert len(hits) > 20
    assert all(hits)


def test_frames_option_limits_the_output() -> None:
    sink = KeepingSink()
    pipeline(FakeSource(numbered), [sink], frames=17).run()
    assert len(sink.frames) == 17


def test_file_gets_every_frame_beside_a_window() -> None:
    film, window = KeepingSink(slow_s=0.002), WindowLikeSink()
    run = pipeline(FakeSource(numbered, frames=120), [film, window])
    run.run()
    assert [number_of(frame) for frame in film.frames] == list(range(120))
    assert window.closed == 1 and window.frames


def test_window_is_served_while_the_camera_hangs() -> None:
    source, window = StuckSource(numbered, at=3), WindowLikeSink()
    run = pipeline(source, [window])
    thread, _ = in_background(run)
    assert source.stuck.wait(20)
    run.parts.controls.apply(Command("panic", "on"))
    assert window.wait_for(lambda frames: bool(frames) and np.array_equal(frames[-1].bgr, card((64, 48))))
    shown = len(window.frames)
    assert window.wait_for(lambda frames: len(frames) > shown + 3), "it is redrawn, as its meter may have changed"
    assert window.pumped > 0, "its events are processed"
    run.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("no_face", ["raw", "card"])
def test_face_too_small_to_paint_shows_the_fallback(portrait_bgr: ImageU8, no_face: str) -> None:
    small = np.asarray(portrait_bgr[::8, ::8]).copy()
    landmarks_xy = find_faces(portrait_bgr)[0].landmarks_xy / 8
    look = load_looks()["matte-red"]
    looks = {"mine": replace(look, name="mine", no_face=no_face)}
    sink = KeepingSink()
    tracker = FakeTracker(lambda frame: (Face(0, landmarks_xy),))
    pipeline(FakeSource(lambda index: small, frames=3), [sink], tracker=tracker, looks=looks, look="mine").run()
    shown = small if no_face == "raw" else card((64, 64))
    assert all(np.array_equal(frame.bgr, shown) for frame in sink.frames)


def test_live_sink_repeats_the_last_frame() -> None:
    source, sink = StuckSource(numbered, at=3), KeepingSink(live=True)
    run = pipeline(source, [sink])
    thread, _ = in_background(run)
    assert sink.wait_for(lambda frames: len(frames) > 20)
    run.stop()
    thread.join(10)
    assert [number_of(frame) for frame in sink.frames[-5:]] == [2] * 5
    assert run.timings.frames_out <= 3, "repeated frames are not counted"


def test_panic_shows_the_card_while_the_source_hangs() -> None:
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


def test_freeze_holds_and_mirror_flips_the_picture() -> None:
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
    assert sink.wait_for(
        lambda frames: frames[-1].bgr is frames[-3].bgr and frames[-1].frame_id > frames[-3].frame_id
    ), "the picture is frozen while frames come"
    count = len(sink.frames)
    assert sink.wait_for(lambda frames: len(frames) > count + 15)
    assert len({number_of(frame) for frame in sink.frames[count - 1 :]}) == 1
    controls.apply(Command("freeze", "off"))
    controls.apply(Command("mirror", "on"))
    assert sink.wait_for(lambda frames: frames[-1].bgr[0, 0, 2] == 63)
    controls.apply(Command("quit"))
    thread.join(10)
    assert not thread.is_alive()


def test_look_switch_applies_to_the_next_frame(portrait_bgr: ImageU8) -> None:
    """The look is changed while frame 5 is sent; all frames from 6 on show the new one."""
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
    run.parts.look_loader.load("matte-red")
    run.run()
    styles_in_use = [not np.array_equal(frame.bgr, portrait_bgr) for frame in sink.frames]
    assert styles_in_use == [False] * 6 + [True] * 6
