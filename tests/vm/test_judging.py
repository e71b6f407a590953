"""judge_times: late times fail on a quiet host, and skip with a report on a busy one."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from vm import judging
from vm.judging import BUSY, NOT_JUDGED, Times, judge_times

_WITH_TIMES = sorted(path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__))


@pytest.fixture(autouse=True)
def report(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the report, so that these tests add nothing to the terminal summary."""
    lines: list[str] = []
    monkeypatch.setattr(judging, "REPORT", lines)
    return lines


def _judge(*all_times: Times, waited: float = 0.0, paused_s: float = 0.0) -> None:
    machine: Any = SimpleNamespace(waited={"scenario": waited}, paused_s={"scenario": paused_s})
    judge_times(machine, "scenario", *all_times)


IN_TIME, LATE, LATER = Times("taken", [0.1, 0.9], 1.0), Times("live", [0.2, 1.7], 1.0), Times("released", [9.0], 8.0)


def test_times_within_limits_are_reported_on_a_busy_host(report: list[str]) -> None:
    _judge(IN_TIME, waited=0.9)
    assert report == ["taken: 2 times, median 0.90 s, worst 0.90 s"]


def test_late_times_on_a_quiet_host_fail_by_kind() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"live: .* worst 1.70 s, limit 1 s; released: .* limit 8 s"):
        _judge(LATE, IN_TIME, LATER, waited=BUSY)


def test_late_times_on_a_busy_host_skip_and_are_reported(report: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENEER_VM", "required")
    with pytest.raises(pytest.skip.Exception, match="1.70 s, limit 1 s; .* waited 40% of the time"):
        _judge(LATE, IN_TIME, LATER, waited=0.4)
    not_judged = [line for line in report if line.startswith(NOT_JUDGED)]
    assert len(not_judged) == 2 and "live" in not_judged[0] and "released" in not_judged[1]
    assert len(report) == 5, "all times are reported"


def test_host_pauses_are_excluded_from_times(report: list[str]) -> None:
    _judge(LATE, paused_s=0.8)
    assert report[0].endswith("the host paused for 0.80 s")
    with pytest.raises(pytest.fail.Exception):
        _judge(LATE, paused_s=0.6)


@pytest.mark.parametrize("file", _WITH_TIMES, ids=lambda file: file.stem)
def test_facts_are_judged_before_times(file: Path) -> None:
    """A failing fact after the times would not be checked on a busy host."""
    tests = [node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    for test in tests:
        times = [node.lineno for node in ast.walk(test) if isinstance(node, ast.Name) and node.id == "judge_times"]
        assert not times or times == [test.body[-1].lineno], f"{test.name} judges its times once, and last"
