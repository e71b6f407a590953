"""`python -m benchmarks.fps`: tables, JSON and chart of a short run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest
from support.root import ROOT

from benchmarks import fps
from benchmarks.fps import Bench
from benchmarks.fps_matrix import plot, tables
from benchmarks.fps_matrix.plan import Case, Extent
from engines.looks_file import load_looks
from live.pipeline.timing import STAGES

SHORT = ["--frames", "24", "--burn-in", "5", "--live-s", "1.5"]  # enough frames even with a delay of 3 s
HANG_S = 240


class Done(NamedTuple):
    code: int
    printed: str
    said: str
    found: dict[str, Any]
    folder: Path


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "VENEER_HOME": str(folder / "home"), "MPLCONFIGDIR": str(folder)}


def words(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "benchmarks.fps", *SHORT, *arguments]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Two faces on every FP32 backend, on the missing INT8 engine, and a look without a network."""
    folder = tmp_path_factory.mktemp("fps")
    backends = ("openvino int8", "openvino fp32", "torch fp32 on GPU", "torch fp32 on CPU")
    asked = ["--look", "glaze", "--look", "none", "--size", "320x240", "--faces", "2", "--json"]
    named = [word for name in backends for word in ("--backend", name)]
    command = words(*asked, str(folder / "out.json"), *named)
    run = subprocess.run(command, cwd=ROOT, env=environment(folder), capture_output=True, text=True, timeout=HANG_S)
    return Done(run.returncode, run.stdout, run.stderr, json.loads((folder / "out.json").read_text()), folder)


def test_every_requested_backend_has_a_result_or_a_reason(done: Done) -> None:
    assert done.code == 0, done.said
    runs, left_out = done.found["runs"], done.found["not_measured"]
    glaze = {run["backend"] for run in runs} | {one["backend"] for one in left_out if one["look"] == "glaze"}
    assert glaze == {"openvino int8", "openvino fp32", "torch fp32 on GPU", "torch fp32 on CPU"}
    assert {"openvino fp32", "torch fp32 on CPU"} <= {run["backend"] for run in runs}
    (int8,) = [one for one in left_out if one["look"] == "glaze" and one["backend"] == "openvino int8"]
    assert int8["outcome"] == "not available" and "INT8 is not built here yet" in int8["reason"]
    (line,) = [line for line in done.printed.splitlines() if "INT8 is not built here yet" in line]
    assert line.startswith("not available: openvino int8 for glaze (320x240 x2): ")
    (line,) = [line for line in done.printed.splitlines() if "without a network" in line]
    assert " for none " in line, "impossible configurations are listed once"


def test_requested_backend_is_the_one_that_ran(done: Done) -> None:
    for run in done.found["runs"]:
        assert run["engine"] == run["backend"] and run["fallback"] == ""
        runtime, precision, *place = run["backend"].split()
        (engine,) = run["engines"]
        assert (engine["style"], engine["runtime"], engine["precision"]) == ("lips-glaze", runtime, precision)
        assert (engine["device"] == "CPU") == (place == ["on", "CPU"])
        assert run["regions"] == ["lips-glaze lips 90x30"]


def test_numbers_of_a_row_are_consistent(done: Done) -> None:
    for run in done.found["runs"]:
        assert run["frames_out"] >= 24 and run["dropped"] == 0 and run["fps"] > 0 and not run["cut"]
        assert run["ratio"] == pytest.approx(run["fps"] / run["tracker_only_fps"], rel=0.02)
        assert 0 < run["latency_ms"]["p50"] <= run["latency_ms"]["p95"] <= run["latency_ms"]["p99"]
        stages = run["stages_ms"]
        assert set(stages) == set(STAGES) and stages["track"]["p50"] > 0 and stages["generate"]["p99"] > 0
        worked = sum(stages[name]["p50"] for name in STAGES)
        assert run["wait_ms"] == pytest.approx(max(0.0, run["latency_ms"]["p50"] - worked), abs=0.01)
        assert run["painting_ms"] == pytest.approx(worked - stages["track"]["p50"] - stages["send"]["p50"], abs=0.01)
        assert run["faces_a_frame"] == pytest.approx(2, abs=0.5), "both faces are found"
        assert run["cpu_percent"] > 0
        live = run["live"]
        assert live["paced_fps"] == 30 and live["fps"] > 0 and live["frames_out"] + live["dropped"] >= 8
    if Path("/proc/self/statm").exists():
        assert all(100 < run["resident_mb"] < 4000 for run in done.found["runs"])


def test_tables_show_every_row_and_the_machine(done: Done) -> None:
    about = done.found["machine"]
    top = done.printed.splitlines()[0]
    assert about["cpu"] in top and f"openvino {about['versions']['openvino']}" in top
    assert about["gpu"] in done.printed
    rates, stages = (done.printed.index(name) for name in ("x tracker", "painting"))
    for number, run in enumerate(done.found["runs"], 1):
        row = re.compile(rf"^ *{number}  +glaze  +320x240  +2 .*{run['engine']} .*$", re.MULTILINE)
        fast, slow = row.findall(done.printed, rates)[0], row.findall(done.printed, stages)[0]
        latency = "/".join(f"{run['latency_ms'][name]:.1f}" for name in ("p50", "p95", "p99"))
        for shown in (f"{run['fps']:.1f}", f"{run['ratio']:.2f}", latency, f"{run['resident_mb']:.0f}"):
            assert f" {shown} " in f"{fast} "
        for name in STAGES:
            assert "/".join(f"{run['stages_ms'][name][part]:.2f}" for part in ("p50", "p95", "p99")) in slow


def test_chart_shows_every_stage(done: Done) -> None:
    picture = cv2.imread(str(done.folder / "out.png"))
    assert picture is not None and picture.shape[1] > 1000
    for part in ("track", "generate", "wait"):
        red, green, blue = (int(plot.COLOURS[part][at : at + 2], 16) for at in (1, 3, 5))
        shown = (np.abs(picture.astype(int) - (blue, green, red)).max(axis=2) <= 2).sum()
        assert shown > 150, f"{part}: {shown} pixels"
    assert sorted(path.name for path in done.folder.iterdir() if path.name.startswith("out")) == ["out.json", "out.png"]
    assert f"written: {done.folder / 'out.json'}, {done.folder / 'out.png'}" in done.printed


def test_ctrl_c_keeps_completed_results(tmp_path: Path) -> None:
    command = words("--look", "none", "--look", "matte-red", "--size", "320x240", "--json", str(tmp_path / "out.json"))
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        first = run.stderr.readline()
        run.send_signal(signal.SIGINT)
        printed, said = run.communicate(timeout=HANG_S)
    assert first.startswith("1/2 none, 320x240, 1 face, auto: no network: ")
    assert run.returncode == 130 and "Traceback" not in said and "stopped; 1 of 2 were measured" in said
    (kept,) = json.loads((tmp_path / "out.json").read_text())["runs"]
    assert kept["look"] == "none" and kept["engines"] == [] and "no network" in printed
    assert (tmp_path / "out.png").is_file()


CASES = [Case("none", "320x240", 1, "auto"), Case("glaze", "320x240", 1, "auto")]


@pytest.fixture
def bench() -> Iterator[tuple[Bench, list[int], list[str]]]:
    kept: list[int] = []
    said: list[str] = []

    def keep(known: Bench) -> None:
        kept.append(len(known.left_out))

    yield Bench(load_looks(), Extent(20, 5, 1.0, 0.0), keep=keep, say=said.append), kept, said


def test_crash_of_one_process_does_not_end_the_others(
    bench: tuple[Bench, list[int], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dying = tmp_path / "dying"
    dying.write_text("#!/bin/sh\necho 'out of luck' >&2\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    measuring, kept, said = bench
    measuring.measure(CASES)
    assert kept == [1, 2], "results are stored after each configuration"
    assert [one["outcome"] for one in measuring.left_out] == ["failed", "failed"] and measuring.runs == []
    (line,) = tables.missing(measuring.left_out)
    assert line == "failed: auto for none, glaze (320x240 x1): it ended with code -11: out of luck"
    assert said[1].startswith("2/2 glaze, 320x240, 1 face, auto: failed: it ended with code -11")


def test_hanging_process_is_ended(bench: tuple[Bench, list[int], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Extent, "timeout_s", property(lambda self: 0.2))
    found = fps.measure_in_process(CASES[0], Extent(20, 5, 1.0, 0.0))
    assert found == {"failed": "it took longer than 0 s and was ended"}


def run_of(look: str, size: str = "1280x720", faces: int = 1, backend: str = "auto", **more: Any) -> dict[str, Any]:
    return {"look": look, "size": size, "faces": faces, "backend": backend, "engine": backend, "engines": [1], **more}


def test_chart_groups_comparable_runs() -> None:
    looks = [run_of(look) for look in ("none", "glaze", "toon")]
    more = [run_of("toon", backend="openvino fp32"), run_of("toon", faces=4), run_of("toon", size="640x480")]
    panels = plot.panels([*looks, *more])
    assert [title for title, _ in panels] == ["1280x720, 1 face, auto", "toon"]
    assert [run["look"] for _, run in panels[0][1]] == ["none", "glaze", "toon"]
    order = [(run["backend"], run["faces"], run["size"]) for _, run in panels[1][1]]
    small, usual, four = ("auto", 1, "640x480"), ("auto", 1, "1280x720"), ("auto", 4, "1280x720")
    assert order == [small, usual, four, ("openvino fp32", 1, "1280x720")]
    assert [title for title, _ in plot.panels(looks[:1])] == ["none"]
    for every in (looks, more, [*looks, *more]):
        drawn = [id(run) for _, rows in plot.panels(every) for _, run in rows]
        assert set(drawn) == {id(run) for run in every}, "every run is in the chart"


def test_notes_name_rows_with_limitations() -> None:
    fine = run_of("glaze", fallback="", cut=False, live=None)
    odd = run_of("toon", fallback="requested a, but b ran", cut=True, live={"failed": "it stopped"})
    assert tables.notes([fine, fine]) == []
    fallback, live, cut = tables.notes([fine, odd])
    assert fallback == "row 2: requested a, but b ran"
    assert live == "row 2, at 30 frames per second: it stopped"
    assert cut.startswith("fewer frames") and cut.endswith("row 2")
