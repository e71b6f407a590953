"""Former finds stay fixed, a short fuzz run finds nothing, and the fuzzer finds planted faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import VeneerError
from tests.fuzz import planted
from tests.fuzz.finds import FINDS
from tests.fuzz.fuzzer import NOT_INSTALLED, can_fuzz, fuzz
from tests.fuzz.target import Target, offer
from tests.fuzz.targets import ALL, TARGETS

fuzzes = pytest.mark.skipif(not can_fuzz(), reason=NOT_INSTALLED)


@pytest.mark.parametrize("find", FINDS)
def test_former_find_is_accepted_or_one_line(tmp_path: Path, find: str) -> None:
    name, data = FINDS[find]
    feed = TARGETS[name].prepare(tmp_path)
    error = offer(feed, data)
    assert error is None or isinstance(error, VeneerError)


@pytest.mark.parametrize("name", TARGETS)
def test_valid_input_is_accepted(tmp_path: Path, name: str) -> None:
    """A target that refuses every input would find nothing."""
    feed = TARGETS[name].prepare(tmp_path)
    refused = [error for seed in TARGETS[name].seeds() if (error := offer(feed, seed)) is not None]
    assert len(refused) < len(TARGETS[name].seeds()), refused


@fuzzes
def test_short_fuzz_run_over_all_parsers_finds_nothing(tmp_path: Path) -> None:
    outcome = fuzz("tests.fuzz.targets:ALL", ALL, tmp_path / "f", inputs=2500, seed=1, timeout_s=20)
    assert outcome.find is None, f"{outcome.find[0]!r}\n{outcome.find[1]}"
    assert outcome.inputs >= 2500 and outcome.kept > len(TARGETS)


@fuzzes
@pytest.mark.parametrize(
    ("name", "target", "timeout_s", "message"),
    [
        ("CRASH", planted.CRASH, 20, "IndexError: planted, 3"),
        ("HANG", planted.HANG, 1, "libFuzzer: timeout"),
        ("SWELL", planted.SWELL, 40, "libFuzzer: out-of-memory"),
        ("TWO_LINES", planted.TWO_LINES, 20, "NotOneLineError"),
    ],
)
def test_planted_fault_is_found(tmp_path: Path, name: str, target: Target, timeout_s: int, message: str) -> None:
    outcome = fuzz(f"tests.fuzz.planted:{name}", target, tmp_path / "f", inputs=2_000_000, seed=1, timeout_s=timeout_s)
    assert outcome.find is not None and outcome.inputs < 2_000_000
    assert message in outcome.find[1]
