"""Smoothness while a better engine is built: `python -m benchmarks.upgrade --look toon`.

Runs the demo at 30 frames per second through the whole pipeline twice: as a control without builds, and with an empty
engine cache, so that every engine is built, tested and swapped in. Compares the intervals between frames at the sink.

A frame is late if its interval exceeds twice the median interval of the control. Exit code 1 if the share of late
frames while building is larger than in the control, or if no engine was swapped in; 2 for invalid options. On an idle
machine the control has no late frame.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, number, run_main
from benchmarks.common.machine_info import header, machine, table
from engines.errors import VeneerError
from engines.files import write_json
from engines.looks import Look, find_look
from engines.looks_file import load_looks
from live.control.controls import Controls
from live.option_values import parse_size
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.render.look_loader import LookLoader
from live.sinks.null_sink import NullSink
from live.sources.demo_source import DemoSource
from live.tracking.face_mesh import FaceMeshTracker

FPS = 30.0
_SETTLE_S = 3.0  # after the first frame: libraries are warm, all looks are prepared
_MIN_FRAMES = 30
_START_TIMEOUT_S = 60.0


class TimingSink(NullSink):
    """Live sink that records when each new frame arrives; repeated frames are ignored."""

    live, name = True, "timing"

    def __init__(self) -> None:
        super().__init__()
        self.times_s: list[float] = []
        self._newest = -1

    def send(self, frame: Frame) -> None:
        """Record the time of a new frame."""
        if frame.frame_id > self._newest:
            self._newest = frame.frame_id
            self.times_s.append(time.monotonic())


@dataclass(frozen=True, slots=True)
class RunResult:
    """Seconds to the first frame, intervals between new frames after settling, engines swapped in, messages shown."""

    first_frame_s: float
    intervals_ms: NDArray[np.float64]
    upgrades: int = 0
    messages: tuple[str, ...] = ()

    def summary(self, usual_ms: float) -> dict[str, Any]:
        """Return the row of the table; frames later than twice `usual_ms` count as late."""
        return {
            "first_frame_s": round(self.first_frame_s, 2),
            "frames": len(self.intervals_ms) + 1,
            "usual_ms": round(float(np.median(self.intervals_ms)), 2),
            "p99_ms": round(float(np.percentile(self.intervals_ms, 99)), 2),
            "longest_ms": round(float(self.intervals_ms.max()), 2),
            "late": count_late(self.intervals_ms, usual_ms),
        }


def count_late(intervals_ms: NDArray[np.float64], usual_ms: float) -> int:
    """Return the number of intervals, (N,) ms, longer than twice the usual one."""
    return int((intervals_ms > 2 * usual_ms).sum())


def compare(control: RunResult, building: RunResult) -> tuple[bool, str]:
    """Return whether the share of late frames did not increase, and a sentence with the numbers."""
    usual_ms = float(np.median(control.intervals_ms))
    before, while_building = (count_late(run.intervals_ms, usual_ms) for run in (control, building))
    counts = (
        f"{while_building} of {len(building.intervals_ms)} frames later than twice the usual {usual_ms:.1f} ms while"
        f" building, {before} of {len(control.intervals_ms)} in the control"
    )
    if not building.upgrades:
        return False, f"no result: no better engine was built and swapped in; {counts}"
    if while_building * len(control.intervals_ms) > before * len(building.intervals_ms):
        return False, f"not smooth: {counts}"
    return True, f"smooth: {counts}"


def run_once(look: Look, size_wh: tuple[int, int], *, build: bool, max_s: float) -> RunResult:
    """Run the pipeline for at most `max_s` seconds; with `build`, until all engines of the look are built."""
    messages: list[str] = []
    no_build: dict[str, Any] = {} if build else {"available_builds": lambda *_: ()}
    look_loader = LookLoader({look.name: look}, runtime="auto", say=messages.append, background=True, **no_build)
    sink, controls = TimingSink(), Controls((look.name,), look=look.name)
    source = DemoSource(size_wh=size_wh, fps=FPS, pace=True)
    started_s = time.monotonic()
    pipeline = Pipeline(Parts(source, FaceMeshTracker(), [sink], look_loader, controls), fps=FPS, say=messages.append)

    def is_complete() -> bool:
        built = build and not look_loader.upgrades.is_running() and time.monotonic() > started_s + 2 * _SETTLE_S
        return built or running.done()

    def backends() -> list[tuple[str, str]]:
        return [(info.runtime, info.precision) for info in look_loader.engines(look.name)]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(pipeline.run)
        try:
            _wait(lambda: bool(sink.times_s) or running.done(), _START_TIMEOUT_S)
            first = backends()
            _wait(is_complete, max_s)
            last = backends()
        finally:
            pipeline.stop()
    running.result()  # raises the error of the pipeline
    upgrades = sum(before != after for before, after in zip(first, last, strict=False))
    return _result(sink.times_s, started_s, upgrades, messages)


def _result(times_s: Sequence[float], started_s: float, upgrades: int, messages: Sequence[str]) -> RunResult:
    first_s = times_s[0] if times_s else 0.0
    settled_s = np.array([at_s for at_s in times_s if at_s > first_s + _SETTLE_S])
    if len(settled_s) < _MIN_FRAMES:
        got = f"only {len(settled_s)} frames after the first {_SETTLE_S:g} s"
        raise VeneerError("the run", got, "run longer, with --control and --limit")
    return RunResult(first_s - started_s, np.diff(settled_s) * 1e3, upgrades, tuple(messages))


def _wait(is_done: Callable[[], bool], timeout_s: float) -> None:
    until_s = time.monotonic() + timeout_s
    while not is_done() and time.monotonic() < until_s:
        time.sleep(0.02)


def main() -> int:
    """Print both runs and the comparison, write JSON, and return the exit code."""
    parser = Parser("upgrade", __doc__)
    seconds = number(2 * _SETTLE_S, 86400)
    parser.add_look("toon")
    parser.add_size()
    add = partial(parser.add_argument, type=seconds, metavar="SECONDS")
    add("--control", default=60.0, help="length of the control run (default: 60)")
    add("--limit", default=900.0, help="maximum of the run with builds (default: 900)")
    parser.add_file("--out")
    options = parser.parse()
    look, size_wh = find_look(load_looks(), options.look), parse_size(options.size)
    about = machine()
    print(header(about), flush=True)
    runs: list[RunResult] = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["VENEER_HOME"] = home
        cv2.setNumThreads(1)  # as in veneer run
        for build, max_s in ((False, options.control), (True, options.limit)):
            runs.append(run_once(look, size_wh, build=build, max_s=max_s))
            for line in runs[-1].messages:
                print(line, flush=True)
    usual_ms = float(np.median(runs[0].intervals_ms))
    rows = dict(zip(("control", "building"), (run.summary(usual_ms) for run in runs), strict=True))
    print(table(("run", *rows["control"]), [(name, *row.values()) for name, row in rows.items()]))
    smooth, verdict = compare(*runs)
    print(verdict)
    found = {"machine": about, "look": options.look, **rows, "smooth": smooth, "verdict": verdict}
    write_json("--out", options.out, found)
    return 0 if smooth else 1


if __name__ == "__main__":
    sys.exit(run_main("upgrade", main))
