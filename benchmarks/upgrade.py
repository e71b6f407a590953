"""Does the picture stay smooth while a better engine is built? `python -m benchmarks.upgrade --look toon`.

The demo at 30 frames a second through the whole pipeline, once with nothing to build (the control) and once with an
empty engine cache, so that everything that can be built is built, tried and put in. Intervals between new frames at
the sink are compared: while building, against the control, in the same minutes on the same machine.

A frame is late where it comes later than twice the control's usual interval after the one before it. Exit code 1 where
more frames are late while building than in as many frames of the control, or where nothing was built, so that nothing
can be said; one sentence says which. The control shows what else the machine does: on a quiet one no frame is late in
it. 2 where the words are wrong.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.common.arguments import Parser, check_writable, ended, number, write_text
from benchmarks.common.machine_info import header, machine, table
from engines.errors import VeneerError
from engines.looks import Look, find_look, load_looks
from live.control.controls import Controls
from live.options import parse_size
from live.pipeline.frame import Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.render.look_loader import LookLoader
from live.sinks.base import FrameSink
from live.sources.demo_source import DemoSource
from live.tracking.face_mesh import FaceMeshTracker

FPS = 30.0
_SETTLED_S = 3.0  # after the first frame: libraries are warm, all looks are made
_LEAST_FRAMES = 30
_START_S = 60.0


class Stamps(FrameSink):
    """A live sink that notes when each new frame came."""

    main_thread, live, name = False, True, "stamps"

    def __init__(self) -> None:
        self.at_s: list[float] = []
        self._newest = -1

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Nothing to open."""

    def send(self, frame: Frame) -> None:
        """A frame that is repeated, because none came, is none."""
        if frame.frame_id > self._newest:
            self._newest = frame.frame_id
            self.at_s.append(time.monotonic())

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run.

    Attributes:
        first_frame_s: from the start to the first frame.
        gaps_ms: between new frames at the sink, once it had settled.
        upgrades: how many engines were put in.
        said: to the person.
    """

    first_frame_s: float
    gaps_ms: NDArray[np.float64]
    upgrades: int = 0
    said: tuple[str, ...] = ()

    def summary(self, usual_ms: float) -> dict[str, Any]:
        """For the table and JSON; late is what comes after twice `usual_ms`."""
        return {
            "first_frame_s": round(self.first_frame_s, 2),
            "frames": len(self.gaps_ms) + 1,
            "usual_ms": round(float(np.median(self.gaps_ms)), 2),
            "p99_ms": round(float(np.percentile(self.gaps_ms, 99)), 2),
            "longest_ms": round(float(self.gaps_ms.max()), 2),
            "over_twice": late(self.gaps_ms, usual_ms),
        }


def late(gaps_ms: NDArray[np.float64], usual_ms: float) -> int:
    """How many frames came later than twice the usual interval after the one before."""
    return int((gaps_ms > 2 * usual_ms).sum())


def judged(control: Ran, building: Ran) -> tuple[bool, str]:
    """Whether the picture stayed as smooth as without building, and a sentence on it."""
    usual_ms = float(np.median(control.gaps_ms))
    before, while_building = (late(run.gaps_ms, usual_ms) for run in (control, building))
    counts = (
        f"{while_building} of {len(building.gaps_ms)} frames came later than twice the usual {usual_ms:.1f} ms while"
        f" building, {before} of {len(control.gaps_ms)} in the control"
    )
    if not building.upgrades:
        return False, f"nothing can be said of the swap: no better engine was built and put in; {counts}"
    if while_building * len(control.gaps_ms) > before * len(building.gaps_ms):  # the runs are not equally long
        return False, f"the picture did not stay smooth: {counts}"
    return True, f"the picture stayed smooth: {counts}"


def ran(look: Look, size_wh: tuple[int, int], *, build: bool, run_s: float) -> Ran:
    """One run.

    Raises:
        VeneerError: it failed, or too few frames came to compare.
    """
    said: list[str] = []
    failed: list[VeneerError] = []
    more: dict[str, Any] = {} if build else {"wanted": lambda *_: ()}
    look_loader = LookLoader({look.name: look}, runtime="auto", say=said.append, background=True, **more)
    sink, controls = Stamps(), Controls((look.name,), look=look.name)
    source = DemoSource(size_wh=size_wh, fps=FPS, pace=True)
    started_s = time.monotonic()
    pipeline = Pipeline(Parts(source, FaceMeshTracker(), [sink], look_loader, controls), fps=FPS, say=said.append)

    def run() -> None:
        try:
            pipeline.run()
        except VeneerError as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        _until(lambda: bool(sink.at_s) or not thread.is_alive(), _START_S)
        first = _kinds(look_loader, look)

        def over() -> bool:
            built = build and not look_loader.upgrades.is_running() and time.monotonic() > started_s + 2 * _SETTLED_S
            return built or not thread.is_alive()

        _until(over, run_s)
        last = _kinds(look_loader, look)
    finally:
        pipeline.stop()
        thread.join()
    if failed:
        raise failed[0]
    return _ran(sink.at_s, started_s, sum(one != other for one, other in zip(first, last, strict=False)), said)


def _kinds(look_loader: LookLoader, look: Look) -> list[tuple[str, str]]:
    return [(info.runtime, info.precision) for info in look_loader.engines(look.name)]


def _ran(stamps_s: Sequence[float], started_s: float, upgrades: int, said: Sequence[str]) -> Ran:
    at_s = np.array(stamps_s)
    at_s, first_s = at_s[at_s > stamps_s[0] + _SETTLED_S] if stamps_s else at_s, stamps_s[0] if stamps_s else 0.0
    if len(at_s) < _LEAST_FRAMES:
        got = f"only {len(at_s)} frames came after the first {_SETTLED_S:g} s"
        raise VeneerError("the run", got, "let it run for longer, with --control and --limit")
    return Ran(first_s - started_s, np.diff(at_s) * 1e3, upgrades, tuple(said))


def _until(done: Callable[[], bool], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not done() and time.monotonic() < until_s:
        time.sleep(0.02)


def main() -> int:
    """Print both runs as a table and what they say, and write JSON; the exit code."""
    parser = Parser("upgrade", __doc__)
    seconds = number(2 * _SETTLED_S, 86400)
    parser.add_argument("--look", default="toon")
    parser.add_argument("--size", default="1280x720", help="of the source")
    parser.add_argument("--control", type=seconds, default=60.0, metavar="SECONDS", help="how long the control runs")
    parser.add_argument("--limit", type=seconds, default=900.0, metavar="SECONDS", help="of the run that builds")
    parser.add_argument("--out", type=Path, help="write JSON there")
    wanted = parser.parse_args()
    look, size_wh = find_look(load_looks(), wanted.look), parse_size(wanted.size)
    if wanted.out:
        check_writable("--out", wanted.out)
    about = machine()
    print(header(about), flush=True)
    runs: list[Ran] = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["VENEER_HOME"] = home
        cv2.setNumThreads(1)  # as the program does
        for build, run_s in ((False, wanted.control), (True, wanted.limit)):
            runs.append(ran(look, size_wh, build=build, run_s=run_s))
            print(*runs[-1].said, sep="\n", end="\n" if runs[-1].said else "", flush=True)
    usual_ms = float(np.median(runs[0].gaps_ms))
    rows = dict(zip(("control", "building"), (run.summary(usual_ms) for run in runs), strict=True))
    print(table(("run", *rows["control"]), [(name, *row.values()) for name, row in rows.items()]))
    smooth, sentence = judged(*runs)
    print(sentence)
    if wanted.out:
        found = {"machine": about, "look": wanted.look, **rows, "smooth": smooth, "judgement": sentence}
        write_text("--out", wanted.out, json.dumps(found, indent=1) + "\n")
    return 0 if smooth else 1


if __name__ == "__main__":
    sys.exit(ended("upgrade", main))
