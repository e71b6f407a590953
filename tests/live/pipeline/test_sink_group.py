"""Sinks are switched on and off while a run goes on."""

from __future__ import annotations

import pytest
from support.fakes import FakeSource, KeepingSink
from support.patience import Patience
from support.pipeline_parts import ends_soon, in_background, numbered, pipeline

from engines.errors import OptionsError


def test_sinks_are_switched_on_and_off_in_a_run() -> None:
    first, second = KeepingSink(live=True, name="first"), KeepingSink(live=True, name="second")
    run = pipeline(FakeSource(numbered, live=True, interval_s=0.01), [first])
    with pytest.raises(OptionsError, match="no picture yet"):
        run.sinks.add(second)
    thread, errors = in_background(run)
    assert first.wait_for(lambda frames: len(frames) >= 3)
    with pytest.raises(OptionsError, match="the only one"):
        run.sinks.remove("first")
    run.sinks.add(second)
    assert second.wait_for(lambda frames: len(frames) >= 3)
    with pytest.raises(OptionsError, match="switched on already"):
        run.sinks.add(KeepingSink(live=True, name="second"))
    run.sinks.remove("first")
    assert Patience().becomes_true(lambda: first.closed == 1)
    assert [one["sink"] for one in run.sinks.counts()] == ["second"]
    seen = len(second.frames)
    assert second.wait_for(lambda frames: len(frames) > seen), "the run continues with the other sink"
    run.stop()
    assert ends_soon(thread) and errors == []
