"""`python -m benchmarks.upgrade`: comparison of the runs, exit code and results file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.benchmark_parts import code_of

from benchmarks import upgrade
from benchmarks.upgrade import RunResult, compare, count_late
from engines.errors import VeneerError


def ran(*late_ms: float, frames: int = 900, usual_ms: float = 33.3, upgrades: int = 0) -> RunResult:
    """A run with frames at the usual interval, except those given."""
    return RunResult(1.5, np.array([usual_ms] * (frames - len(late_ms)) + list(late_ms)), upgrades)


def test_frame_is_late_after_twice_the_usual_interval() -> None:
    assert count_late(np.array([33.0, 66.0, 66.1, 200.0]), usual_ms=33.0) == 2


def test_runs_without_late_frames_are_smooth() -> None:
    smooth, verdict = compare(ran(), ran(60.0, upgrades=1))
    assert smooth and verdict == (
        "smooth: 0 of 900 frames later than twice the usual 33.3 ms while building, 0 of 900 in the control"
    )


def test_more_late_frames_than_the_control_are_not_smooth() -> None:
    control = ran(70.0, 90.0)
    assert compare(control, ran(70.0, 400.0, upgrades=2))[0]
    smooth, verdict = compare(control, ran(70.0, 90.0, 68.0, upgrades=2))
    assert not smooth
    assert verdict.startswith("not smooth: 3 of 900 frames later than twice the usual 33.3 ms")
    assert verdict.endswith("2 of 900 in the control")


def test_late_frames_are_compared_as_shares() -> None:
    noisy = ran(*[90.0] * 10, frames=300)
    assert compare(noisy, ran(*[90.0] * 30, upgrades=1))[0]
    assert not compare(noisy, ran(*[90.0] * 31, upgrades=1))[0]
    assert not compare(noisy, ran(*[90.0] * 9, frames=100, upgrades=1))[0]
    assert not compare(ran(frames=300), ran(90.0, frames=9000, upgrades=1))[0], "one late frame exceeds none"


def test_usual_interval_comes_from_the_control() -> None:
    """A build that slows every frame down must not change its own limit."""
    smooth, verdict = compare(ran(), ran(usual_ms=80.0, upgrades=1))
    assert not smooth and "900 of 900 frames" in verdict


def test_run_without_an_upgrade_gives_no_result() -> None:
    smooth, verdict = compare(ran(), ran())
    assert not smooth and verdict.startswith("no result: no better engine was built and swapped in")


def test_too_few_frames_are_an_error() -> None:
    for stamps_s in ([], [1.0], [1.0 + number / 30 for number in range(100)]):
        with pytest.raises(VeneerError, match="only .* frames after the first 3 s - run longer"):
            upgrade._result(stamps_s, 0.0, 1, ())
    found = upgrade._result([1.0 + number / 30 for number in range(150)], 0.5, 1, ())
    assert found.first_frame_s == 0.5 and 55 <= len(found.intervals_ms) <= 60
    assert np.median(found.intervals_ms) == pytest.approx(33.3, abs=0.1)


@pytest.mark.parametrize(("building", "code"), [(ran(upgrades=1), 0), (ran(500.0, upgrades=1), 1), (ran(), 1)])
def test_exit_code_table_and_file_agree(
    building: RunResult,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs: Iterator[RunResult] = iter((ran(), building))
    asked: list[Any] = []

    def stand_in(look: Any, size_wh: Any, *, build: bool, max_s: float) -> RunResult:
        asked.append((look.name, build, max_s))
        return next(runs)

    monkeypatch.setattr(upgrade, "run_once", stand_in)
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["upgrade", "--look", "soft", "--control", "7", "--limit", "9", "--out", str(out)])
    assert code_of("upgrade", upgrade.main) == code
    assert asked == [("soft", False, 7.0), ("soft", True, 9.0)], "the control comes first and builds nothing"
    found, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert found["smooth"] == (code == 0) and printed.splitlines()[-1] == found["verdict"]
    assert found["building"]["late"] == count_late(building.intervals_ms, 33.3)
