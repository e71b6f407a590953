"""Whether what came out of the guest came in time, as far as this host lets that be told.

Facts hold on every machine and are asserted first. Times are judged last and all together, for on a host that gives
its processors to others nothing is known of them: then the test skips, with the numbers, and the terminal says at the
end what could not be judged. That holds for VENEER_VM=required too: what is required is that the machine boots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest
from vm.machine import Machine

BUSY = 0.15  # a host that keeps the guest waiting for a larger share of its time cannot be timed on
REPORT: list[str] = []  # what the terminal says at the end
NOT_JUDGED = "NOT JUDGED"


class Times(NamedTuple):
    """Times of one kind, in seconds, and what none of them may exceed."""

    what: str
    times_s: Iterable[float]
    limit_s: float


def judge_times(machine: Machine, scenario: str, *all_times: Times) -> None:
    """Every time is within its limit. The last call of a test: what comes after it may not be reached.

    Late times are no finding while the host kept the guest waiting; then this test says so and skips. A while for
    which the host stood still, which the guest cannot know of, is not counted.
    """
    late, stood_s = [], machine.stood_s[scenario]
    for what, times_s, limit_s in all_times:
        in_order_s = sorted(times_s)
        told = f"{what}: {len(in_order_s)} times, median {in_order_s[len(in_order_s) // 2]:.2f} s"
        REPORT.append(f"{told}, worst {in_order_s[-1]:.2f} s")
        if in_order_s[-1] > limit_s and stood_s:
            REPORT[-1] += f"; meanwhile the host stood still for {stood_s:.2f} s"
        if in_order_s[-1] - stood_s > limit_s:
            late.append(f"{REPORT[-1]}, wanted {limit_s:g} s")
    if not late:
        return
    if (waited := machine.waited[scenario]) > BUSY:
        why = f"the host let the guest wait {waited:.0%} of the time: not a machine to time on"
        REPORT.extend(f"{NOT_JUDGED}: {line}; {why}" for line in late)
        pytest.skip(f"{'; '.join(late)}; {why}")
    pytest.fail("; ".join(late))
