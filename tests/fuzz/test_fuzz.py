"""What fuzzing once found stays mended; a short run of it in every test run; and the fuzzer finds what is planted."""

from __future__ import annotations

from pathlib import Path

import pytest

from engines.errors import VeneerError
from tests.fuzz import planted
from tests.fuzz.finds import FINDS
from tests.fuzz.fuzzer import WITHOUT, can_fuzz, fuzz
from tests.fuzz.target import Target, offer
from tests.fuzz.targets import ALL, TARGETS

fuzzes = pytest.mark.skipif(not can_fuzz(), reason=WITHOUT)


@pytest.mark.parametrize("find", FINDS)
def test_what_once_did_harm_is_taken_or_refused_in_one_line(tmp_path: Path, find: str) -> None:
    name, data = FINDS[find]
    feed = TARGETS[name].prepare(tmp_path)
    said = offer(feed, data)
    assert said is None or isinstance(said, VeneerError)


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_taken(tmp_path: Path, name: str) -> None:
    """A target that refuses everything would find nothing."""
    feed = TARGETS[name].prepare(tmp_path)
    refused = [said for seed in TARGETS[name].seeds() if (said := offer(feed, seed)) is not None]
    assert len(refused) < len(TARGETS[name].seeds()), refused


@fuzzes
def test_a_short_run_over_all_parsers_finds_nothing(tmp_path: Path) -> None:
    outcome = fuzz("tests.fuzz.targets:ALL", ALL, tmp_path / "f", inputs=2500, seed=1, slowest_s=20)
    assert outcome.find is None, f"{outcome.find[0]!r}\n{outcome.find[1]}"
    assert outcome.inputs >= 2500 and outcome.kept > len(TARGETS)


@fuzzes
@pytest.mark.parametrize(
    ("name", "target", "slowest_s", "says"),
    [
        ("CRASH", planted.CRASH, 20, "IndexError: planted, 3"),
        ("HANG", planted.HANG, 1, "libFuzzer: timeout"),
        ("SWELL", planted.SWELL, 40, "libFuzzer: out-of-memory"),
        ("TWO_LINES", planted.TWO_LINES, 20, "NotOneLineError"),
    ],
)
def test_what_is_planted_is_found(tmp_path: Path, name: str, target: Target, slowest_s: int, says: str) -> None:
    outcome = fuzz(f"tests.fuzz.planted:{name}", target, tmp_path / "f", inputs=2_000_000, seed=1, slowest_s=slowest_s)
    assert outcome.find is not None and outcome.inputs < 2_000_000
    assert says in outcome.find[1]
