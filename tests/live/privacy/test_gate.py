"""The gate before a sink replaces pictures that must not be shown or are too old."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from support.fakes import KeepingSink, WindowLikeSink
from support.head_parts import portrait_face
from support.never_bare_judge import LARGE_WH, SMALL_WH, is_smooth, scenes
from support.never_bare_parts import the_looks
from support.never_bare_show import is_card

from live.control.controls import Command, Controls
from live.pipeline.frame import Frame
from live.pipeline.sender import Sender
from live.render.privacy_fallback import blurred


def _gate(look: str) -> tuple[Callable[..., Frame], Controls]:
    looks = the_looks()
    controls = Controls(tuple(looks), look=look)
    controls.set_looks(looks)
    sender = Sender(KeepingSink(), controls=controls, lossless=False, fps=30.0, timings=None, fail=pytest.fail)
    return sender.gated, controls


def test_clock_set_back_does_not_keep_an_old_picture() -> None:
    gate, controls = _gate("toon")
    bgr, _ = portrait_face()
    frame = Frame(bgr, 0, 0.0, coverage=1.0)
    assert gate(frame, shown_s=0.4) is frame
    assert is_smooth(gate(frame, shown_s=0.6).bgr) and is_smooth(gate(frame, shown_s=-3600.0).bgr)
    assert gate(replace(frame, coverage=0.85)).bgr is not bgr, "a frame with too little coverage is replaced"
    controls.apply(Command("freeze", "on"))
    assert gate(frame, shown_s=60.0) is frame, "a frozen picture has no time limit"


def test_one_strength_step_blurs_no_frame_in_the_pipeline() -> None:
    gate, controls = _gate("toon")
    in_pipeline = Frame(portrait_face()[0], 0, 0.0, coverage=0.9)
    assert gate(in_pipeline) is in_pipeline
    controls.apply(Command("strength", 0.0))
    assert gate(replace(in_pipeline, coverage=0.0)).coverage == 0.0, "strength 0 requires no coverage"


def test_gate_uses_the_fallback_of_the_selected_look() -> None:
    gate, controls = _gate("toon")
    first, second = (Frame(scene.bgr, number, 0.0) for number, scene in enumerate(scenes(SMALL_WH, 1)[:2]))
    for frame in (first, second):
        assert np.array_equal(gate(frame).bgr, blurred(frame.bgr))
    controls.apply(Command("look", "head"))
    assert is_card(gate(second))
    controls.apply(Command("look", "always"))
    assert np.array_equal(gate(second).bgr, blurred(second.bgr))


def test_card_has_the_size_of_the_frame() -> None:
    gate, controls = _gate("none")
    controls.apply(Command("panic", "on"))
    for size_wh in (SMALL_WH, LARGE_WH, SMALL_WH):
        out = gate(Frame(scenes(size_wh, 1)[0].bgr, 0, 0.0))
        assert out.size_wh == size_wh and is_card(out)


def test_held_picture_ages_under_new_frame_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A held drawing is sent with each new frame; its age counts from when it was first shown."""
    _, controls = _gate("toon")
    sink, clock = KeepingSink(live=True), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    sender = Sender(sink, lossless=False, fps=30, controls=controls, timings=None, fail=print)
    drawing = Frame(scenes(SMALL_WH, 1)[0].bgr, 0, 100.0, coverage=1.0)
    for number in range(8):
        sender.send(replace(drawing, frame_id=number, captured_s=clock[0]))
        clock[0] += 0.125
    assert [frame.bgr is drawing.bgr for frame in sink.frames] == [True] * 5 + [False] * 3
    assert is_smooth(sink.frames[-1].bgr)


def test_window_shows_frames_that_come_slightly_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At 62 of the requested 120 frames per second, repetitions must not displace the new frames."""
    _, controls = _gate("toon")
    sink, clock = WindowLikeSink(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    sender = Sender(sink, lossless=False, fps=120, controls=controls, timings=None, fail=print)
    drawing = Frame(scenes(SMALL_WH, 1)[0].bgr, 0, 100.0, coverage=1.0)
    for number in range(60):
        sender.slot.put(replace(drawing, bgr=drawing.bgr.copy(), frame_id=number))
        for wait_s in (0.013, 0.003):
            sender.poll(min_interval_s=1 / 60, timeout_s=0.0)
            clock[0] += wait_s
        assert sink.frames[-1].frame_id >= number - 1
    assert not is_smooth(sink.frames[-1].bgr)
