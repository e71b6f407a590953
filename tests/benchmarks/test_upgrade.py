"""`python -m benchmarks.upgrade` judges what it measures, and its exit code says so."""

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
from benchmarks.upgrade import Ran, judged, late
from engines.errors import VeneerError


def ran(*late_ms: float, frames: int = 900, usual_ms: float = 33.3, upgrades: int = 0) -> Ran:
    """A run with frames at the usual interval, but for those given."""
    return Ran(1.5, np.array([usual_ms] * (frames - len(late_ms)) + list(late_ms)), upgrades)


def test_a_frame_is_late_after_twice_the_usual_interval() -> None:
    assert late(np.array([33.0, 66.0, 66.1, 200.0]), usual_ms=33.0) == 2


def test_no_frame_late_in_either_is_smooth() -> None:
    smooth, sentence = judged(ran(), ran(60.0, upgrades=1))
    assert smooth and sentence == (
        "the picture stayed smooth: 0 of 900 frames came later than twice the usual 33.3 ms while building,"
        " 0 of 900 in the control"
    )


def test_as_many_late_as_in_the_control_is_smooth_and_one_more_is_not() -> None:
    control = ran(70.0, 90.0)
    assert judged(control, ran(70.0, 400.0, upgrades=2))[0]
    smooth, sentence = judged(control, ran(70.0, 90.0, 68.0, upgrades=2))
    assert not smooth
    assert sentence.startswith(
        "the picture did not stay smooth: 3 of 900 frames came later than twice the usual 33.3 ms"
    )
    assert sentence.endswith("2 of 900 in the control")


def test_runs_of_different_length_are_compared_by_the_frame() -> None:
    noisy = ran(*[90.0] * 10, frames=300)
    assert judged(noisy, ran(*[90.0] * 30, upgrades=1))[0]
    assert not judged(noisy, ran(*[90.0] * 31, upgrades=1))[0]
    assert not judged(noisy, ran(*[90.0] * 9, frames=100, upgrades=1))[0]
    assert not judged(ran(frames=300), ran(90.0, frames=9000, upgrades=1))[0], "none is none, however long it runs"


def test_what_is_usual_is_what_the_control_says() -> None:
    """A build that slows every frame down must not raise the bar for itself."""
    smooth, sentence = judged(ran(), ran(usual_ms=80.0, upgrades=1))
    assert not smooth and "900 of 900 frames" in sentence


def test_where_nothing_was_built_nothing_is_proved() -> None:
    smooth, sentence = judged(ran(), ran())
    assert not smooth and sentence.startswith("nothing can be said of the swap: no better engine was built and put in")


def test_too_few_frames_are_no_measurement() -> None:
    for stamps_s in ([], [1.0], [1.0 + number / 30 for number in range(100)]):
        with pytest.raises(VeneerError, match="only .* frames came after the first 3 s - let it run for longer"):
            upgrade._ran(stamps_s, 0.0, 1, ())
    found = upgrade._ran([1.0 + number / 30 for number in range(150)], 0.5, 1, ())
    assert found.first_frame_s == 0.5 and 55 <= len(found.gaps_ms) <= 60
    assert np.median(found.gaps_ms) == pytest.approx(33.3, abs=0.1)


@pytest.mark.parametrize(("building", "code"), [(ran(upgrades=1), 0), (ran(500.0, upgrades=1), 1), (ran(), 1)])
def test_the_exit_code_the_table_and_the_file_say_the_same(
    building: Ran,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runs: Iterator[Ran] = iter((ran(), building))
    asked: list[Any] = []

    def stand_in(look: Any, size_wh: Any, *, build: bool, run_s: float) -> Ran:
        asked.append((look.name, build, run_s))
        return next(runs)

    monkeypatch.setattr(upgrade, "ran", stand_in)
    out = tmp_path / "out.json"
    monkeypatch.setattr(sys, "argv", ["upgrade", "--look", "soft", "--control", "7", "--limit", "9", "--out", str(out)])
    assert code_of("upgrade", upgrade.main) == code
    assert asked == [("soft", False, 7.0), ("soft", True, 9.0)], "the control comes first, and builds nothing"
    found, printed = json.loads(out.read_text()), capsys.readouterr().out
    assert found["smooth"] == (code == 0) and printed.splitlines()[-1] == found["judgement"]
    assert found["building"]["over_twice"] == late(building.gaps_ms, 33.3)
