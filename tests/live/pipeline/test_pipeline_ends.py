"""Runs end quickly and cleanly when sources, sinks, trackers or engines fail or hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.fakes import (
    BrokenSink,
    BrokenSource,
    FakeSource,
    FakeTracker,
    KeepingSink,
    NoSource,
    StuckSink,
    StuckSource,
)
from support.pipeline_parts import ends_soon, in_background, numbered, pipeline

from engines.errors import EngineError, SinkError, SourceError, TrackingError
from engines.looks import Look
from engines.looks_file import load_looks
from engines.runtime.base import EngineInfo
from engines.runtime.hot_swap import HotSwapEngine
from engines.style_lookup import load_style
from live.pipeline.frame import Face, Frame, ImageU8
from live.render.look_loader import LoadedLayer, LoadedLook, LookLoader
from live.render.look_tile import find_faces
from live.render.privacy_fallback import card


@pytest.mark.parametrize("error", [SourceError("camera 0", "it is gone", "plug it in"), RuntimeError("driver\nbug")])
def test_failing_source_ends_the_run_with_its_reason(error: Exception) -> None:
    sink = KeepingSink()
    source = BrokenSource(numbered, at=20, error=error)
    thread, errors = in_background(pipeline(source, [sink]))
    assert source.broke.wait(60) and ends_soon(thread)
    (caught,) = errors
    assert isinstance(caught, SourceError)
    assert "it is gone" in str(caught) or "RuntimeError: driver" in str(caught)
    assert "\n" not in str(caught)
    assert source.closed and sink.closed == 1


def test_source_that_cannot_be_opened_is_reported_and_closed() -> None:
    source = NoSource()
    with pytest.raises(SourceError, match="camera 7: there is no such camera - plug one in"):
        pipeline(source, [KeepingSink()]).run()
    assert source.closed


@pytest.mark.parametrize(("at", "slow_s"), [(-1, 0.0), (0, 0.0), (12, 0.0), (2, 0.3)])
def test_failing_sink_ends_the_run_with_its_reason(at: int, slow_s: float) -> None:
    broken = BrokenSink(at=at, error=OSError(28, "No space left on device"), slow_s=slow_s)
    other = KeepingSink()
    source = FakeSource(numbered)
    with pytest.raises(SinkError, match="broken.*No space left"):
        pipeline(source, [broken, other]).run()
    assert source.closed and broken.closed == 1 and other.closed <= 1


def test_failing_tracker_ends_the_run_with_its_reason() -> None:
    def fail(frame: Frame) -> tuple[Face, ...]:
        raise ValueError("graph is broken")

    with pytest.raises(TrackingError, match="tracker.*graph is broken"):
        pipeline(FakeSource(numbered), [KeepingSink()], tracker=FakeTracker(fail)).run()


@pytest.mark.parametrize("stuck", ["source", "live sink", "file sink", "closing"])
def test_stop_is_quick_while_a_thread_hangs(stuck: str) -> None:
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
    run.stop()
    assert ends_soon(thread)
    assert errors == []


class SlowLookLoader(LookLoader):
    """Hangs while loading, as a library may."""

    def load(self, name: str) -> LoadedLook:
        threading.Event().wait()
        raise AssertionError


def test_stop_is_quick_while_a_look_is_loading() -> None:
    run = pipeline(
        FakeSource(numbered), [KeepingSink()], look_loader=SlowLookLoader(load_looks(), runtime="auto", say=print)
    )
    thread, _ = in_background(run)
    time.sleep(0.2)
    run.stop()
    assert ends_soon(thread)


class NanEngine:
    """An engine that gives only NaN."""

    info = EngineInfo("lips-nan", "fake", "fp16", "nowhere", "a test")

    def infer(self, regions_bgr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full(regions_bgr.shape, np.nan, np.float32)

    def close(self) -> None: ...


def engine_fails(regions_bgr: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    raise EngineError("style lips-nan", "the device is gone")


@pytest.mark.parametrize("infer", [NanEngine.infer, lambda self, crops: engine_fails(crops)])
@pytest.mark.parametrize("no_face", ["raw", "card"])
def test_failing_engine_shows_the_fallback_and_frames_continue(
    portrait_bgr: ImageU8, infer: Callable[..., Any], no_face: str
) -> None:
    faces = find_faces(portrait_bgr)
    engine = type("Engine", (NanEngine,), {"infer": infer})()

    class Broken(LookLoader):
        def load(self, name: str) -> LoadedLook:
            return LoadedLook(
                Look(name, "", (), no_face),
                (LoadedLayer(load_style("lips-glaze"), 1.0, HotSwapEngine(engine)),),
            )

    messages: list[str] = []
    sink = KeepingSink()
    pipeline(
        FakeSource(lambda index: portrait_bgr, frames=10),
        [sink],
        tracker=FakeTracker(lambda frame: faces),
        look_loader=Broken(load_looks(), runtime="auto", say=messages.append),
        say=messages.append,
    ).run()
    assert len(sink.frames) == 10
    shown = portrait_bgr if no_face == "raw" else card((512, 512))
    assert all(np.array_equal(frame.bgr, shown) for frame in sink.frames)
    assert len(messages) == 1 and "lips-nan" in messages[0]
