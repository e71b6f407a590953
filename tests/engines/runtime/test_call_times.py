"""Times of repeated calls."""

from __future__ import annotations

from engines.runtime.call_times import summarise, time_in_turns, time_repeatedly


def test_timed_calls_take_turns() -> None:
    made: list[str] = []
    took_ms = time_in_turns({name: lambda name=name: made.append(name) for name in "abc"}, seconds=0.01)
    assert all(len(times) >= 6 for times in took_ms.values())
    turns = [name for place, name in enumerate(made) if place == 0 or made[place - 1] != name]
    assert turns == ["a", "b", "c"] * 6, "the turns of one call are spread out"
    assert sum(map(len, took_ms.values())) < len(made), "each turn starts untimed"


def test_a_call_is_repeated_at_least_so_many_times() -> None:
    made: list[int] = []
    assert len(time_repeatedly(lambda: made.append(1), least=7)) == len(made) == 7


def test_a_summary_has_median_and_95th_percentile() -> None:
    found = summarise([1.0, 2.0, 3.0, 4.0, 100.0])
    assert (found.median_ms, found.p95_ms) == (3.0, 80.8)
