"""Whether what came out of the guest came in time, as far as this host lets that be told."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from vm.machine import Machine

BUSY = 0.15  # a host that keeps the guest waiting for a larger share of its time cannot be timed on
REPORT: list[str] = []  # what the terminal says at the end


def check_in_time(machine: Machine, scenario: str, what: str, times_s: Iterable[float], limit_s: float) -> None:
    """Every one of the times is within the limit.

    Times that are not are no finding while the host gave its processors to others; then this test says so and skips.
    """
    times_s = sorted(times_s)
    REPORT.append(f"{what}: {len(times_s)} times, median {times_s[len(times_s) // 2]:.2f} s, worst {times_s[-1]:.2f} s")
    if times_s[-1] <= limit_s:
        return
    if (waited := machine.waited[scenario]) > BUSY:
        pytest.skip(f"{REPORT[-1]}; the host let the guest wait {waited:.0%} of the time: not a machine to time on")
    pytest.fail(f"{REPORT[-1]}, wanted {limit_s:g} s")
