"""A run during which engines are built, for tests that observe its frames."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray
from support.fakes import FakeSource, FakeTracker, KeepingSink
from support.pipeline_parts import in_background

from engines.build.build_orders import BuildOrder
from engines.build.build_process import BuildProcess
from engines.looks import Layer, Look
from engines.runtime.base import Engine, EngineInfo
from engines.runtime.selector import open_engine
from engines.styles import Style
from live.control.controls import Controls
from live.pipeline.pipeline import Parts, Pipeline
from live.portrait import portrait_bgr
from live.render.look_loader import LookLoader
from live.render.look_tile import find_faces
from live.upgrades import engine_upgrades
from live.upgrades.engine_upgrades import runtime_and_precision

MANY = 12  # frames that must come during another action
PATIENCE_S = 120.0  # longer than any step takes, even on a busy machine
BUILD_S = 540.0  # for real builds at low priority


def until(done: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    """Wait for the condition; return whether it is true."""
    until_s = time.monotonic() + patience_s
    while not done() and time.monotonic() < until_s:
        time.sleep(0.01)
    return done()


class Show:
    """A run on the built-in face with one look per style, and all its messages."""

    def __init__(
        self,
        styles: Sequence[Style],
        *,
        runtime: str = "torch",
        available_builds: Callable[[Style, EngineInfo, str], Sequence[BuildOrder]] | None = None,
        tracker: Any = None,
        fps: float = 30.0,
        build: bool = True,
        has_viewers: Callable[[], bool] | None = None,
    ) -> None:
        self.messages: list[str] = []
        self.painted_s: list[float] = []  # when each frame was rendered
        looks = {style.name: Look(style.name, "", (Layer(style, 1.0),)) for style in styles}
        looks |= {"both": Look("both", "", tuple(Layer(style, 0.5) for style in styles))}
        self.controls = Controls(tuple(looks), look=styles[0].name)
        more: dict[str, Any] = {"build": build, "has_viewers": has_viewers}
        if available_builds is not None:
            more["available_builds"] = available_builds
        self.look_loader = LookLoader(looks, runtime=runtime, say=self.messages.append, background=True, **more)
        self.sink = KeepingSink(live=True)
        face = find_faces(portrait_bgr())
        source = FakeSource(lambda index: portrait_bgr(), live=True, interval_s=1 / fps)
        parts = Parts(source, tracker or FakeTracker(lambda frame: face), [self.sink], self.look_loader, self.controls)
        painted = self.painted_s
        self.pipeline = Pipeline(
            parts, say=self.messages.append, on_frame=lambda frame, state: painted.append(time.monotonic())
        )
        self.thread, self.errors = in_background(self.pipeline)

    def frames_continue(self) -> bool:
        """Whether many more new frames are output."""
        newest = self.sink.frames[-1].frame_id if self.sink.frames else -1
        return self.sink.wait_for(lambda frames: bool(frames) and frames[-1].frame_id > newest + MANY, 60.0)

    def until(self, done: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
        return until(done, patience_s)

    def says(self, words: str, patience_s: float = PATIENCE_S) -> bool:
        return self.until(lambda: any(words in line for line in self.messages), patience_s)

    def runs_on(self, name: str = "") -> list[str]:
        infos = self.look_loader.engines(name or self.controls.read().look)
        return [" ".join(runtime_and_precision(info)) for info in infos]

    def end(self) -> None:
        self.pipeline.stop()
        self.thread.join(20)
        assert not self.thread.is_alive() and self.errors == []


class Builds:
    """Real builders that wait for the test, and the steps they report."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[str] = []
        self.may_begin = threading.Event()
        steps, may_begin = self.steps, self.may_begin

        class Watched(BuildProcess):
            def __init__(self, *of: Any, on_step: Callable[[str], None], **more: Any) -> None:
                def both(step: str) -> None:
                    steps.append(step)
                    on_step(step)

                super().__init__(*of, on_step=both, **more)

            def run(self) -> None:
                may_begin.wait(PATIENCE_S)
                super().run()

        monkeypatch.setattr(engine_upgrades, "BuildProcess", Watched)


def ordered(mode: str, lock: Path, *, limit_s: float = 600.0) -> Callable[..., Sequence[BuildOrder]]:
    """Offer OpenVINO instead of PyTorch, "built" by `slow_builder`."""

    def builds(style: Style, info: EngineInfo, runtime: str) -> Sequence[BuildOrder]:
        arguments = mode, f"{lock}-{style.name}"
        order = BuildOrder("stand-in", "openvino", "", "slow_builder:main", arguments, limit_s)
        return (order,) if info.runtime == "torch" else ()

    return builds


def keyed(mode: str, lock: Path, key: str, *, limit_s: float = 600.0) -> Callable[..., Sequence[BuildOrder]]:
    """Offer the same build, with a known cache key."""
    plain = ordered(mode, lock, limit_s=limit_s)

    def builds(style: Style, info: EngineInfo, runtime: str) -> Sequence[BuildOrder]:
        return [replace(order, key=lambda: key) for order in plain(style, info, runtime)]

    return builds


def gone(lock: Path) -> bool:
    with FileLock(lock).acquire(timeout=20.0):
        return True


def spoilt(by: Callable[[NDArray[np.float32]], NDArray[np.float32]]) -> Callable[..., Engine]:
    """Open the real engine and modify its output."""

    def opened(style: Style, **more: Any) -> Engine:
        engine = open_engine(style, **more)
        real = engine.infer
        engine.infer = lambda regions_bgr: by(real(regions_bgr))  # type: ignore[method-assign]
        return engine

    return opened
