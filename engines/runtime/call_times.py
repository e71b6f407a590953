"""Times of repeated calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

_ROUNDS = 6
_BURN_IN_CALLS = 3

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class CallTime:
    """Duration of one call in milliseconds: median and 95th percentile."""

    median_ms: float
    p95_ms: float


def summarise(durations_ms: Sequence[float]) -> CallTime:
    """Return median and 95th percentile, rounded to microseconds."""
    median, p95 = np.percentile(durations_ms, (50, 95)).tolist()
    return CallTime(round(median, 3), round(p95, 3))


def time_repeatedly(call: Callable[[], object], seconds: float = 0.0, *, least: int = 1) -> list[float]:
    """Call for a time, and at least so many times; return the durations in milliseconds."""
    durations_ms: list[float] = []
    end_s = time.perf_counter() + seconds
    while len(durations_ms) < least or time.perf_counter() < end_s:
        started_s = time.perf_counter()
        call()
        durations_ms.append((time.perf_counter() - started_s) * 1e3)
    return durations_ms


def time_in_turns(calls: Mapping[Key, Callable[[], object]], *, seconds: float) -> dict[Key, list[float]]:
    """Time each call for `seconds` in total, in alternation, so that other load affects all of them equally.

    A turn starts with untimed calls, because the previous call has replaced the contents of the caches. Returns
    durations in milliseconds.
    """
    durations_ms: dict[Key, list[float]] = {name: [] for name in calls}
    for round_number in range(_ROUNDS):
        for name, call in calls.items():
            for _ in range(1 if round_number else _BURN_IN_CALLS):
                call()
            durations_ms[name] += time_repeatedly(call, seconds / _ROUNDS)
    return durations_ms
