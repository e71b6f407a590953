"""The tests' timeouts detect hangs on a busy machine, and allow for stalls of the machine itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli_parts import WITH_TESTS
from support.patience import QUICK_S, Patience, Queue, Yardstick, late_s


class Machine:
    """A clock, and the delays of a simulated machine."""

    def __init__(self) -> None:
        self.now_s, self.stalls_s = 100.0, list[tuple[float, float]]()

    def run(self, seconds: float, *, stalled: bool = False) -> None:
        if stalled:
            self.stalls_s.append((self.now_s, self.now_s + seconds))
        self.now_s += seconds

    def late_s(self, since_s: float, until_s: float) -> float:
        return sum(max(0.0, min(end_s, until_s) - max(at_s, since_s)) for at_s, end_s in self.stalls_s)

    def patience(self) -> Patience:
        return Patience(late_s=self.late_s, clock=lambda: self.now_s)


def test_timeout_is_exact_on_an_idle_machine() -> None:
    machine = Machine()
    machine.run(3, stalled=True)  # before
    patience = machine.patience()
    machine.run(QUICK_S - 0.1)
    assert patience.lasts()
    machine.run(0.2)
    assert not patience.lasts()


def test_six_second_hang_is_late_on_a_stalled_machine() -> None:
    machine = Machine()
    patience = machine.patience()
    for part in range(6):
        machine.run(0.5, stalled=True)
        assert patience.lasts() == (part < 5), "half of the time counts"
        machine.run(0.5)
    assert not patience.becomes_true(lambda: True)


def test_two_machine_stalls_extend_the_timeout() -> None:
    machine = Machine()
    patience = machine.patience()
    for _ in range(2):
        machine.run(3, stalled=True)
        assert patience.lasts()
        machine.run(1)
    assert patience.becomes_true(lambda: True)


def test_delay_is_what_a_sleep_exceeds() -> None:
    woke_s = [10.0, 10.05, 12.1, 12.15]  # delayed once, by two seconds
    assert late_s(woke_s, 10.0, 12.2) == pytest.approx(2.0)
    assert late_s(woke_s, 11.1, 12.2) == pytest.approx(1.0), "only delays within the interval count"
    assert late_s(woke_s, 12.1, 15.2) == pytest.approx(3.0), "the current sleep counts"
    assert late_s(woke_s, 0.0, 9.0) == late_s([], 0.0, 9.0) == 0.0


@pytest.fixture
def yardstick() -> Iterator[Yardstick]:
    made = Yardstick()
    while len(made.woke_s()) < 3:
        time.sleep(0.01)
    yield made
    made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that stops a process")
def test_stopped_process_is_delayed_and_running_one_is_not(yardstick: Yardstick) -> None:
    """The process is stopped by a signal, which looks like a stalled machine."""
    since_s = time.monotonic()
    yardstick.process.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    while_stopped_s = yardstick.late_s(since_s, time.monotonic())
    yardstick.process.send_signal(signal.SIGCONT)
    assert while_stopped_s > 0.8, "while it is stopped"
    seen, end_s = len(yardstick.woke_s()), time.monotonic()
    while len(yardstick.woke_s()) < seen + 3:
        time.sleep(0.01)
    assert yardstick.late_s(since_s, end_s) > 0.8, "and afterwards"
    woke_s = yardstick.woke_s()
    naps_s = sorted(later - before for before, later in zip(woke_s[-3:], woke_s[-2:], strict=False))
    assert yardstick.late_s(woke_s[-3], woke_s[-1]) == pytest.approx(sum(naps_s) - 0.1, abs=1e-6), "exactly the excess"


def test_ended_yardstick_raises(yardstick: Yardstick) -> None:
    yardstick.process.kill()
    yardstick.process.wait()
    with pytest.raises(RuntimeError, match="the yardstick has ended"):
        yardstick.late_s(0.0, 1.0)


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="no /proc/*/schedstat: the kernel keeps no account"
)
def test_waiting_for_a_cpu_counts_as_delay_and_sleep_does_not() -> None:
    """Twice as many busy processes as CPUs, and a sleeping one."""
    asleep = subprocess.Popen(["sleep", "600"])
    busy = [
        subprocess.Popen([*WITH_TESTS, sys.executable, "-c", "while True: pass"])
        for _ in range(2 * (os.cpu_count() or 1))
    ]
    try:
        time.sleep(0.5)  # started
        since_s, working, hanging = time.monotonic(), Queue([run.pid for run in busy]), Queue([asleep.pid])
        end_s = since_s + 60
        waited_s = 0.0
        while waited_s < 0.5 and time.monotonic() < end_s:
            time.sleep(0.05)
            waited_s = working.queued_s(time.monotonic())
        spent_s = time.monotonic() - since_s
        assert 0.5 <= waited_s < spent_s
        assert hanging.queued_s(time.monotonic()) < 0.1
    finally:
        for run in (*busy, asleep):
            run.kill()
            run.wait()
