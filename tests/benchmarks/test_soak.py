"""`python -m benchmarks.soak`: detection of leaks and falling frame rates, and the files of a short run."""

from __future__ import annotations

import csv
import gc
import json
import mmap
import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import cv2
import pytest
from support.root import ROOT

from benchmarks.common.machine_info import anonymous_mb, native_threads, open_handles
from benchmarks.soak import Sample, evaluate, summary


def samples(*, leak_mb_a_minute: float = 0.0, fps_at_the_end: float = 30.0) -> list[Sample]:
    made = []
    for i in range(361):
        minutes = i / 12
        held = 300.0 + leak_mb_a_minute * minutes + (50.0 if i > 10 else 0.0) + (2.5 if i % 7 == 0 else 0.0)
        fps = 30.0 if minutes < 27 else fps_at_the_end
        made.append(Sample(5.0 * i, 150 * i, fps, held, held - 100, 40, 13, 0))
    return made


def test_stable_run_with_outliers_holds() -> None:
    found = evaluate(samples(), warm_up_s=120)
    assert found["memory_holds"] and found["fps_holds"]
    assert found["growth_mb"] == 0 and found["fps_deviation"] == 0 and found["minutes"] == 28
    assert [line for line in summary(found) if "NOT" in line] == []


def test_slow_memory_leak_is_detected() -> None:
    found = evaluate(samples(leak_mb_a_minute=0.1), warm_up_s=120)
    assert not found["memory_holds"] and found["growth_mb"] == pytest.approx(2.5, abs=0.1)
    assert "DOES NOT HOLD" in summary(found)[0]


def test_falling_frame_rate_is_detected() -> None:
    found = evaluate(samples(fps_at_the_end=28.5), warm_up_s=120)
    assert found["memory_holds"] and not found["fps_holds"]
    assert "DOES NOT HOLD" in summary(found)[1]


def test_short_run_is_not_evaluated() -> None:
    assert evaluate(samples()[:30], warm_up_s=120) == {}
    assert "too short" in summary({})[0]


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="this system has no /proc")
def test_process_resources_are_counted() -> None:
    gc.collect()  # close what earlier tests left open
    before, held_mb = open_handles(), anonymous_mb()
    with Path("/dev/null").open(), Path("/dev/zero").open():
        assert open_handles() == before + 2
    # Fresh from the system: a `bytearray` may get memory that an earlier test freed and the process still holds.
    with mmap.mmap(-1, 60_000_000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as ballast:
        for page in range(0, len(ballast), mmap.PAGESIZE):
            ballast[page] = 1
        assert anonymous_mb() > held_mb + 40
    assert open_handles() == before and native_threads() >= 1


def test_soak_writes_csv_json_and_plot(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.soak", "--minutes", "0.15", "--size", "320x240", "--fps", "15"]
    environment = {**os.environ, "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "soak")],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 1) and "Traceback" not in done.stderr, done.stderr
    assert "memory over" in done.stdout and "frames per second" in done.stdout
    with (tmp_path / "soak.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(Sample)] and len(rows) >= 20
    assert int(rows[-1]["frames"]) > int(rows[0]["frames"]) and int(rows[-1]["threads"]) > 3
    report = json.loads((tmp_path / "soak.json").read_text())
    run = report["run"]
    assert report["found"]["fps"] > 0 and run["frames_out"] + run["dropped"] >= int(rows[-1]["frames"]) - 2
    plot = cv2.imread(str(tmp_path / "soak.png"))
    assert plot is not None and plot.std() > 5
