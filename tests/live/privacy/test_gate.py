"""The last thing before a sink: what may not go out, or has been shown for too long, is replaced there."""

from __future__ import annotations

import time
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
from live.pipeline.sender import PrivacyGate, Sender
from live.render.privacy_fallback import blurred
from live.render.privacy_policy import PrivacyPolicy


def _gate(look: str) -> tuple[PrivacyGate, Controls]:
    looks = the_looks()
    controls = Controls(tuple(looks), look=look)
    controls.set_looks(looks)
    return PrivacyGate(PrivacyPolicy(controls.look_of), controls), controls


def test_a_clock_that_is_set_back_does_not_keep_a_picture_for_ever() -> None:
    gate, controls = _gate("toon")
    bgr, _ = portrait_face()
    frame = Frame(bgr, 0, 0.0, coverage=1.0)
    assert gate(frame, shown_s=0.4) is frame
    assert is_smooth(gate(frame, shown_s=0.6).bgr) and is_smooth(gate(frame, shown_s=-3600.0).bgr)
    assert gate(replace(frame, coverage=0.85)).bgr is not bgr, "and what hides less than is wanted never leaves"
    controls.apply(Command("freeze", "on"))
    assert gate(frame, shown_s=60.0) is frame, "a frozen picture is meant to stay"


def test_a_step_of_the_strength_key_blurs_no_picture_that_is_on_its_way() -> None:
    gate, controls = _gate("toon")
    on_its_way = Frame(portrait_face()[0], 0, 0.0, coverage=0.9)
    assert gate(on_its_way) is on_its_way
    controls.apply(Command("strength", 0.0))
    assert gate(replace(on_its_way, coverage=0.0)).coverage == 0.0, "that is what strength nought says"


def test_what_hides_a_picture_is_made_of_it_and_by_the_look_that_is_asked_for_now() -> None:
    gate, controls = _gate("toon")
    first, second = (Frame(scene.bgr, number, 0.0) for number, scene in enumerate(scenes(SMALL_WH, 1)[:2]))
    for frame in (first, second):
        assert np.array_equal(gate(frame).bgr, blurred(frame.bgr))
    controls.apply(Command("look", "head"))
    assert is_card(gate(second))
    controls.apply(Command("look", "always"))
    assert np.array_equal(gate(second).bgr, blurred(second.bgr))


def test_the_card_has_the_size_of_the_frame_it_stands_for() -> None:
    gate, controls = _gate("none")
    controls.apply(Command("panic", "on"))
    for size_wh in (SMALL_WH, LARGE_WH, SMALL_WH):
        out = gate(Frame(scenes(size_wh, 1)[0].bgr, 0, 0.0))
        assert out.size_wh == size_wh and is_card(out)


def test_a_picture_ages_though_it_is_sent_under_new_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A face was lost and the drawing is held; that it is held anew with each frame makes it no younger."""
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


def test_a_window_is_not_left_with_an_old_picture_by_frames_that_come_a_little_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A camera gives 62 frames a second, 120 were asked for: repeating must not push each new one out."""
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
