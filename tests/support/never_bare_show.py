"""A run on the moving portrait, and predicates for what a frame shows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from support.fakes import KeepingSink, WindowLikeSink
from support.never_bare_judge import bareness, is_smooth
from support.never_bare_parts import (
    TroubledEngine,
    TroubledLookLoader,
    TroubledSource,
    TroubledTracker,
    Troubles,
    the_looks,
)
from support.pipeline_parts import ends_soon, in_background

from live.control.controls import Controls
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.render.privacy_fallback import card


def drawn(frame: Frame) -> bool:
    most, least = bareness(frame.bgr)
    return least < -0.6 and most < 0.3


def bare(frame: Frame) -> bool:
    return bareness(frame.bgr)[0] > 0.5


def soft(frame: Frame) -> bool:
    return is_smooth(frame.bgr) and not is_card(frame)


def is_card(frame: Frame) -> bool:
    return np.array_equal(frame.bgr, card(frame.size_wh))


class Show:
    """A run on the moving portrait with a camera, a window, and faults."""

    def __init__(self, look: str, *, slow_s: float = 0.0, broken: str = "", **more: Any) -> None:
        looks = the_looks()
        self.troubles = Troubles()
        self.controls = Controls(tuple(looks), look=look)
        self.camera, self.window = KeepingSink(live=True), WindowLikeSink()
        self.messages: list[str] = []
        self.look_loader = TroubledLookLoader(
            looks, self.troubles, slow_s=slow_s, broken=broken, say=self.messages.append
        )
        source, tracker = TroubledSource(self.troubles, interval_s=1 / 60), TroubledTracker(self.troubles)
        parts = Parts(source, tracker, [self.camera, self.window], self.look_loader, self.controls)
        self.run = Pipeline(parts, fps=60, say=self.messages.append, **more)
        self.thread, self.errors = in_background(self.run)

    def see(self, what: Callable[[Frame], bool], *sinks: KeepingSink) -> int:
        """Wait until each sink's newest frame satisfies the predicate; return the first sink's number of frames."""
        for sink in sinks or (self.camera, self.window):
            assert sink.wait_for(lambda frames: bool(frames) and what(frames[-1])), (what.__name__, self.messages)
        return len((sinks or (self.camera,))[0].frames)

    def end(self) -> None:
        self.run.stop()
        assert ends_soon(self.thread)
        assert self.errors == []


class Hang:
    """A call that does not return until it is released."""

    def __init__(self, stage: str) -> None:
        self._stage = stage
        self.begun, self.released = threading.Event(), threading.Event()

    def __call__(self, *_: object, **__: object) -> Any:
        self.begun.set()
        self.released.wait(30)
        if self._stage == "tracker":
            return ()
        raise TimeoutError("it hung")


def hang(show: Show, stage: str, monkeypatch: pytest.MonkeyPatch) -> Hang:
    it = Hang(stage)
    owner, name = {
        "source": (TroubledSource, "read"),
        "tracker": (TroubledTracker, "track"),
        "engine": (TroubledEngine, "infer"),
    }[stage]
    monkeypatch.setattr(owner, name, it)
    assert it.begun.wait(10)
    return it
