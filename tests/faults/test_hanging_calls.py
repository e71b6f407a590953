"""Calls that hang at a boundary, or fail to close: the run ends within 2 s all the same, and nothing else stays open.

Each hang has its own run; all runs are stopped at once, and the time until the last one ends counts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.fault_kinds import half_written, raises
from support.fault_parts import Bench
from support.fault_standins import Engine, Orders, Persons
from support.patience import Patience

import live.pipeline.ingest
import live.render.frame_renderer
from engines.errors import SourceError
from live.control.controls import Command
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Pipeline
from live.render.look_loader import LookLoader

STARTING = ("source.open", "tracker.open", "looks", "driver.open")
RUNNING = ("source.read", "tracker.track", "segmenter", "engine", "driver.send", "disk.write")
CLOSING = ("source", "tracker", "segmenter", "engine", "camera", "window")


class Hang:
    """A call that does not return until it is released."""

    def __init__(self) -> None:
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self, value: Any = None) -> Any:
        self.begun.set()
        self.released.wait(60)
        return value


class Benches:
    """Parallel runs; faults at the boundaries, and at the disk, are set for the newest."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.all = folder, list[Bench]()

    def start(self, kind: str = "camera", **how: Any) -> Bench:
        self.all.append(Bench(self._folder / str(len(self.all)), kind=kind, look="toon", **how))
        return self.all[-1]

    def running(self, kind: str = "camera") -> Bench:
        """Start a run and wait for its first frame."""
        bench = self.start(kind)
        assert bench.wait(lambda: bench.frame_id >= 0)
        return bench

    def meet(self, place: str) -> None:
        self.all[-1].orders.meet(place)

    def end(self, how: str = "interrupt") -> dict[int, str]:
        """Stop all runs; return those that ended late or with an error."""
        patience = Patience()
        for bench in self.all:
            bench.stop(how)
        in_time = patience.becomes_true(lambda: all(bench.ended for bench in self.all))
        late = [bench for bench in self.all if not (in_time or bench.ended)] or ([] if in_time else self.all)
        return {
            number: f"it ended late, if at all; {bench.errors}" for number, bench in enumerate(self.all)
            if bench in late or bench.errors or bench.tracebacks
        }  # fmt: skip

    def left_behind(self) -> list[str]:
        """Return what is still open after all hanging calls were released."""
        return [line for bench in reversed(self.all) for line in bench.left_behind()]


@pytest.fixture
def benches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exclude_library_objects: None) -> Benches:
    made = Benches(tmp_path)
    monkeypatch.setattr(live.pipeline.ingest, "PersonFinder", Persons)
    monkeypatch.setattr(live.render.frame_renderer, "PersonFinder", Persons)
    half_written(monkeypatch, made.meet)
    return made


@pytest.fixture
def hangs() -> Iterator[list[Hang]]:
    made: list[Hang] = []
    yield made
    for hang in made:
        hang.released.set()


def test_run_ends_whatever_hangs(benches: Benches, hangs: list[Hang]) -> None:
    for place in STARTING + RUNNING:
        hangs.append(Hang())
        if place in STARTING:
            benches.start(early=(place, hangs[-1]))
        else:
            bench = benches.running()
            if place == "disk.write":
                bench.controls.apply(Command("record", "on"))
            bench.orders.give(place, hangs[-1])
        assert hangs[-1].begun.wait(20), place
    late = [(STARTING + RUNNING)[number] for number in benches.end()]
    assert late == []
    hanging = benches.all[(STARTING + RUNNING).index("engine")]
    assert hanging.look_loader.engine.ledger.closed == 0, "an engine is not closed during a call"
    for hang in hangs:
        hang.released.set()
    assert benches.left_behind() == [], "late threads release what they hold"


def _closes(bench: Bench) -> dict[str, Any]:
    camera, *_ = bench.run.parts.sinks
    parts = (
        bench.source,
        bench.tracker,
        bench.run._ingest._person_finder,
        bench.look_loader.engine,
        camera,
        bench.window,
    )
    return dict(zip(CLOSING, parts, strict=True))


def test_hanging_close_does_not_delay_the_end(benches: Benches, hangs: list[Hang]) -> None:
    whats = [what for what in CLOSING if what != "window"]  # it hangs in the main thread
    for what in whats:
        it, hang = _closes(benches.running())[what], Hang()
        hangs.append(hang)
        it.close = _in_turn(hang, it.close)
    assert [whats[number] for number in benches.end()] == []
    assert all(hang.begun.is_set() for hang in hangs)
    for hang in hangs:
        hang.released.set()
    assert benches.left_behind() == []


@pytest.mark.parametrize("what", CLOSING)
def test_failing_close_leaves_nothing_else_open(benches: Benches, what: str) -> None:
    def fail() -> None:
        raise RuntimeError("driver\nbug")

    bench = benches.running("camera and window")
    it = _closes(bench)[what]
    it.close = _in_turn(it.close, fail)
    bench.stop("stop")
    assert bench.wait(lambda: bench.ended)
    assert bench.left_behind() == []
    assert len(bench.errors) <= 1
    assert all("failed (RuntimeError: driver bug)" in str(error) for error in bench.errors)


def test_first_of_two_errors_is_reported(benches: Benches) -> None:
    def fail() -> None:
        raise RuntimeError("busy")

    bench = benches.running()
    camera = _closes(bench)["camera"]
    camera.close = _in_turn(camera.close, fail)
    bench.orders.give("source.read", raises(SourceError("camera 0", "it is gone")))
    assert bench.wait(lambda: bench.ended)
    assert bench.left_behind() == []
    assert [str(error) for error in bench.errors] == ["camera 0: it is gone"]


def test_no_device_is_opened_after_the_end_began(benches: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stop comes after the first frame is rendered and before the sinks are started."""
    real, over, done = Pipeline._start_senders, threading.Event(), threading.Event()

    def start(self: Pipeline, first: Frame) -> None:
        self.stop()
        over.wait(20)
        try:
            real(self, first)
        finally:
            done.set()

    monkeypatch.setattr(Pipeline, "_start_senders", start)
    bench = benches.start("camera and film")
    assert bench.wait(lambda: bench.ended)
    over.set()
    assert done.wait(20)
    assert bench.left_behind() == [] and bench.driver_ledger.opened == 0
    assert not bench.files[0].exists()


def test_failing_engine_close_leaves_no_engine_open() -> None:
    def fail() -> None:
        raise RuntimeError("driver\nbug")

    look_loader, engines = LookLoader({}, runtime="auto", say=print), [Engine(Orders()) for _ in range(3)]
    engines[1].close = fail  # type: ignore[method-assign]
    made: Any = {(str(number), (1, 1)): SimpleNamespace(engine=engine) for number, engine in enumerate(engines)}
    look_loader._engines = made
    look_loader.close()
    assert [engine.ledger.closed for engine in engines] == [1, 0, 1]


def _in_turn(*calls: Callable[[], object]) -> Callable[[], None]:
    def close() -> None:
        for call in calls:
            call()

    return close
