"""The webcam is pulled and put back while somebody reads the virtual camera."""

from __future__ import annotations

import pytest
from vm.judging import Times, judge_times
from vm.machine import Machine

pytestmark = pytest.mark.vm
TIMES = 50


def test_reloaded_webcam_driver_is_live_again(machine: Machine) -> None:
    found = machine.run("pulled_again_and_again", times=TIMES, timeout_s=6000)
    rounds = found["rounds"]
    assert found["alive"] and len(rounds) == TIMES
    assert all(each["gone"] for each in rounds), "the device was really gone"
    assert all(each["held"] for each in rounds), "meanwhile the last picture stands, and pictures go on"
    judge_times(
        machine,
        "pulled_again_and_again",
        Times("let go after the webcam was pulled", [each["released_s"] for each in rounds], 2.0),
        Times("live again after it was there", [each["live_s"] for each in rounds], 2.0),
    )


def test_webcam_with_a_new_number_is_found(machine: Machine) -> None:
    found = machine.run("pulled_while_held", timeout_s=3000)
    assert found["nodes"] == ["video1", "video10", "video2"], "it really has another number"
    judge_times(machine, "pulled_while_held", Times("live again under another number", [found["live_s"]], 3.0))
