"""Better engines are built during a run: frames continue in every phase, and a failure changes nothing.

Each phase is extended until the sink has received many more frames. If rendering waits for the phase, none come and
the test fails; the frame rate does not matter.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.own_style import own_style
from support.upgrade_parts import BUILD_S, MANY, Builds, Show, gone, ordered, spoilt

from engines.cache.cache_entry import verdict
from engines.runtime.base import Engine
from engines.runtime.openvino import int8_graph
from engines.runtime.selector import open_engine
from engines.style_lookup import load_style
from engines.styles import Style
from live.control.controls import Command
from live.portrait import portrait_bgr
from live.tracking.face_mesh import FaceMeshTracker
from live.upgrades import engine_acceptance

LIPS = "lips-glaze"
TORCH = ["torch fp32"]


class Watched:
    """A real engine whose calls in the upgrade thread last until many frames have passed."""

    def __init__(self, engine: Engine, wait: Callable[[], None]) -> None:
        self._engine, self._wait, self.info = engine, wait, engine.info
        self._thread = threading.get_ident()

    def infer(self, regions_bgr: NDArray[np.uint8]) -> NDArray[np.float32]:
        if threading.get_ident() == self._thread:
            self._wait()
        return self._engine.infer(regions_bgr)

    def close(self) -> None:
        self._engine.close()


def test_frames_continue_through_every_upgrade_phase(
    lock: Path, shows: list[Show], monkeypatch: pytest.MonkeyPatch
) -> None:
    show = Show([load_style(LIPS)], available_builds=ordered("wait", lock))
    shows.append(show)
    phases: list[str] = []

    def passes(what: str) -> None:
        assert show.frames_continue(), f"rendering stopped while {what}"
        phases.append(what)

    def opened(style: Style, **more: Any) -> Engine:
        passes("it was opened")
        return Watched(open_engine(style, **more), lambda: passes("it was tested"))

    monkeypatch.setattr(engine_acceptance, "open_engine", opened)
    assert show.until(lambda: "stand-in: building 1/3" in show.look_loader.upgrades.progress())
    (old,) = show.look_loader._engines.values()
    inner = old.engine._engine
    close = inner.close

    def closing() -> None:
        passes("the old one was closed")
        close()

    monkeypatch.setattr(inner, "close", closing)
    assert show.frames_continue() and show.frames_continue(), "rendering stopped while it was built"
    assert show.runs_on() == TORCH
    Path(f"{lock}-{LIPS}.go").touch()
    assert show.says(", before on torch fp32")
    assert phases == ["it was opened", "it was tested", "it was tested", "the old one was closed"]
    assert show.runs_on()[0].startswith("openvino")
    assert show.frames_continue()
    assert show.look_loader.upgrades.progress() == ""
    assert len(show.messages) == 1


def test_every_frame_is_painted_across_the_swap(lock: Path, shows: list[Show]) -> None:
    show = Show([load_style(LIPS)], available_builds=ordered("good", lock))
    shows.append(show)
    assert show.says("now runs on")
    assert show.frames_continue()
    assert all_painted(show)


def all_painted(show: Show) -> bool:
    """Whether the lips of every frame are painted about equally."""
    bare = portrait_bgr().astype(np.float32)
    painted = {id(frame.bgr): frame for frame in show.sink.frames}.values()
    changes = [np.abs(frame.bgr - bare)[125:160, 195:260].mean() for frame in painted]
    return len(changes) > 2 and bool(min(changes) > 0.8 * max(changes) > 2.0)


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("crash", "stand-in of lips-glaze is not used: its builder crashed (SIGSEGV); torch fp32 stays in use"),
        ("hang", "stand-in of lips-glaze is not used: its builder took longer than 2 s and was ended; torch"),
        ("refuse", "stand-in of lips-glaze is not used: failed: mean dE 3.1, at most 1.0; torch fp32 stays in use"),
        ("cannot", "stand-in of lips-glaze is not used: NNCF is not installed; torch fp32 stays in use"),
    ],
)
def test_failing_build_leaves_the_engine_in_use(mode: str, says: str, lock: Path, shows: list[Show]) -> None:
    show = Show([load_style(LIPS)], available_builds=ordered(mode, lock, limit_s=2.0 if mode == "hang" else 600.0))
    shows.append(show)
    assert show.says(says), show.messages
    assert show.frames_continue()
    assert show.runs_on() == TORCH and show.look_loader.upgrades.progress() == ""
    assert len(show.messages) == 1, "once, in one line"
    assert all_painted(show)
    assert gone(Path(f"{lock}-{LIPS}"))


def broken(style: Style, **more: Any) -> Engine:
    raise RuntimeError("no room on the GPU\nlong")


@pytest.mark.parametrize(
    ("opened", "says"),
    [
        (spoilt(lambda given: given * np.float32("nan")), "it gives NaN or infinity"),
        (spoilt(lambda given: given + 30), "of 255 from the engine in use, at most 7.6 is allowed"),
        (spoilt(lambda given: given[..., :2]), "it fails ("),
        (lambda style, **more: open_engine(style, runtime="torch"), "it gives torch fp32"),
        (broken, "it fails (no room on the GPU)"),
    ],
)
def test_defective_engine_is_never_swapped_in(
    opened: Callable[..., Engine], says: str, lock: Path, shows: list[Show], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_acceptance, "open_engine", opened)
    show = Show([load_style(LIPS)], available_builds=ordered("good", lock))
    shows.append(show)
    assert show.says("stand-in of lips-glaze is not used: ") and says in show.messages[0], show.messages
    assert show.runs_on() == TORCH and show.frames_continue()
    assert len(show.messages) == 1 and "\n" not in show.messages[0]
    assert all_painted(show)


def test_stop_during_a_build_leaves_no_builder(lock: Path) -> None:
    show = Show([load_style(LIPS)], available_builds=ordered("hang", lock))
    assert show.until(lambda: ": building" in show.look_loader.upgrades.progress())
    show.pipeline.stop()
    show.thread.join(2.0 + 8.0)  # the promised 2 s, and some more on a busy machine
    assert not show.thread.is_alive()
    assert gone(Path(f"{lock}-{LIPS}"))
    assert show.messages == []


def test_looks_that_share_an_engine_are_upgraded_together(lock: Path, shows: list[Show]) -> None:
    first, second = load_style(LIPS), load_style("lips-bright")
    show = Show([first, second], available_builds=ordered("wait", lock))
    shows.append(show)
    assert show.until(lambda: ": building" in show.look_loader.upgrades.progress())
    assert f"building {LIPS}" in show.look_loader.upgrades.progress(), "the selected look comes first"
    show.controls.apply(Command("look", "both"))
    assert show.frames_continue() and show.runs_on() == TORCH * 2
    Path(f"{lock}-{LIPS}.go").touch()
    assert show.says(f"style {LIPS} now runs on openvino")
    for name in (LIPS, "both"):
        assert show.runs_on(name)[0].startswith("openvino")
    assert show.runs_on("both")[1:] == show.runs_on("lips-bright") == TORCH
    Path(f"{lock}-lips-bright.go").touch()
    assert show.says("style lips-bright now runs on openvino")
    assert show.runs_on("both")[1] == show.runs_on("lips-bright")[0]
    assert show.frames_continue()


def test_own_style_is_shown_at_once_and_converted_later(shows: list[Show], monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    show = Show([own_style()], runtime="auto", tracker=FaceMeshTracker(), fps=10.0)
    shows.append(show)
    assert show.sink.wait_for(lambda frames: len(frames) > MANY, 60.0)
    assert show.runs_on() == TORCH
    assert show.until(lambda: "building mine OpenVINO" in show.look_loader.upgrades.progress())
    builds.may_begin.set()
    assert show.frames_continue()
    assert show.says("style mine now runs on openvino", BUILD_S), show.messages
    assert show.frames_continue()


@pytest.mark.skipif(not int8_graph.nncf_installed(), reason=f"no NNCF to build INT8 with: {int8_graph.INSTALL}")
def test_int8_build_is_tested_and_swapped_in(shows: list[Show], monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds(monkeypatch)
    style = load_style(LIPS)
    show = Show([style], runtime="auto", tracker=FaceMeshTracker(), fps=10.0)
    shows.append(show)
    assert show.frames_continue()
    before = show.runs_on()[0].removeprefix("openvino ")
    builds.may_begin.set()

    def over() -> bool:
        assert show.frames_continue(), f"rendering stopped after {builds.steps[-1:]}"
        return any("now runs on" in line or "is not used" in line for line in show.messages)

    assert show.until(over, BUILD_S), (show.messages, builds.steps)
    assert {"set", "quantise", "evaluate"} <= {step.split()[0] for step in builds.steps}
    (info,) = show.look_loader.engines()
    messages = verdict(int8_graph.int8_key(style))
    if messages == "passed":
        assert show.messages == [f"style {LIPS} now runs on openvino int8, before on openvino {before}"]
        assert (info.precision, info.verdict) == ("int8", "passed")
    else:  # on processors whose INT8 is less accurate
        assert messages.startswith("failed: ") and info.precision == before and "is not used" in show.messages[0]
    assert show.frames_continue()
