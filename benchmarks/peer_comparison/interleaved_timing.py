"""Times many calls in turns for a limited time, so that what else the machine does falls on all of them alike."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

_SLICE_S = 0.1  # a call has its turn for so long, or once where it takes longer
_LEAST_TURNS = 3

Key = TypeVar("Key", bound=Hashable)


def in_turns(calls: Mapping[Key, Callable[[], object]], *, seconds: float) -> tuple[dict[Key, list[float]], bool]:
    """Milliseconds of each call, by name, and whether the time was waited for.

    Every call is made once unseen; then come rounds in which each has one turn, in another order every time. A turn
    that holds several calls begins with one that is not counted: whoever came before has emptied the caches. Ctrl-C
    ends the rounds before their time; the whole turns until then are returned.

    Args:
        calls: by name.
        seconds: of all rounds together. Three rounds are made in any case.
    """
    took_ms: dict[Key, list[float]] = {name: [] for name in calls}
    order, shuffled = list(calls), random.Random(0)
    try:
        usual_s = {name: _took_s(call) for name, call in calls.items()}
        end_s, done = time.perf_counter() + seconds, 0
        while done < _LEAST_TURNS or time.perf_counter() < end_s:
            shuffled.shuffle(order)
            for name in order:
                if done >= _LEAST_TURNS and time.perf_counter() >= end_s:
                    break
                turn_ms = _turn(calls[name], several=usual_s[name] < _SLICE_S / 2)
                usual_s[name] = min(usual_s[name], min(turn_ms) / 1e3)
                took_ms[name] += turn_ms
            done += 1
    except KeyboardInterrupt:
        return took_ms, False
    return took_ms, True


def _turn(call: Callable[[], object], *, several: bool) -> list[float]:
    if not several:
        return [_took_s(call) * 1e3]
    call()
    took_ms: list[float] = []
    end_s = time.perf_counter() + _SLICE_S
    while not took_ms or time.perf_counter() < end_s:
        took_ms.append(_took_s(call) * 1e3)
    return took_ms


def _took_s(call: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    call()
    return time.perf_counter() - started_s
