"""Limits on times measured in the guest, as far as the host allows a judgement.

Facts hold on every machine and are asserted first. Times are judged last and all together, because on a busy host they
are meaningless: then the test is skipped with the numbers, and the terminal summary lists what was not judged. This
also applies to VENEER_VM=required, which requires only that the machine boots.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest
from vm.machine import Machine

BUSY = 0.15  # maximum share of time that the guest may wait for a host CPU
REPORT: list[str] = []  # lines of the terminal summary
NOT_JUDGED = "NOT JUDGED"


class Times(NamedTuple):
    """Times of one kind, in seconds, and their limit."""

    name: str
    times_s: Iterable[float]
    limit_s: float


def judge_times(machine: Machine, scenario: str, *all_times: Times) -> None:
    """Check that every time is within its limit. Must be the last call of a test, because it may skip.

    If the host kept the guest waiting, late times skip the test instead. Pauses of the host, which the guest cannot
    detect, are subtracted.
    """
    late, paused_s = [], machine.paused_s[scenario]
    for name, times_s, limit_s in all_times:
        in_order_s = sorted(times_s)
        summary = f"{name}: {len(in_order_s)} times, median {in_order_s[len(in_order_s) // 2]:.2f} s"
        REPORT.append(f"{summary}, worst {in_order_s[-1]:.2f} s")
        if in_order_s[-1] > limit_s and paused_s:
            REPORT[-1] += f"; the host paused for {paused_s:.2f} s"
        if in_order_s[-1] - paused_s > limit_s:
            late.append(f"{REPORT[-1]}, limit {limit_s:g} s")
    if not late:
        return
    if (waited := machine.waited[scenario]) > BUSY:
        reason = f"the guest waited {waited:.0%} of the time for a host CPU, so times are not meaningful"
        REPORT.extend(f"{NOT_JUDGED}: {line}; {reason}" for line in late)
        pytest.skip(f"{'; '.join(late)}; {reason}")
    pytest.fail("; ".join(late))
