"""The webcam is unplugged and plugged in while the virtual camera has a reader."""

from __future__ import annotations

import pytest
from vm.judging import Times, judge_times
from vm.machine import Machine

pytestmark = pytest.mark.vm
TIMES = 50


def test_reloaded_webcam_driver_is_live_again(machine: Machine) -> None:
    found = machine.run("unplugged_repeatedly", times=TIMES, timeout_s=6000)
    rounds = found["rounds"]
    assert found["alive"] and len(rounds) == TIMES
    assert all(cycle["gone"] for cycle in rounds), "the device file was removed"
    assert all(cycle["held"] for cycle in rounds), "the last picture was repeated meanwhile"
    judge_times(
        machine,
        "unplugged_repeatedly",
        Times("released after the unplugging", [cycle["released_s"] for cycle in rounds], 2.0),
        Times("live after the device returned", [cycle["live_s"] for cycle in rounds], 2.0),
    )


def test_webcam_with_a_new_number_is_found(machine: Machine) -> None:
    found = machine.run("unplugged_while_open", timeout_s=3000)
    assert found["nodes"] == ["video1", "video10", "video2"], "it has another number"
    judge_times(machine, "unplugged_while_open", Times("live under another number", [found["live_s"]], 3.0))
