"""Does the picture stay smooth while a better engine is built? `python -m benchmarks.upgrade --look toon`.

The demo at 30 frames a second through the whole pipeline, once with nothing to build (the control) and once with an
empty engine cache, so that everything that can be built is built, tried and put in. Intervals between new frames at
the sink are compared: while building, against the control, in the same minutes on the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.machine import header, machine, table
from engines.looks import load_looks
from live.controls import Controls
from live.frame import Frame
from live.options import parse_size
from live.pipeline import Parts, Pipeline
from live.sources.demo import DemoSource
from live.tracking.face_mesh import FaceMeshTracker
from live.wardrobe import Wardrobe

FPS = 30.0
_SETTLED_S = 3.0  # after the first frame: libraries are warm, all looks are made


class Stamps:
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


def intervals_ms(look: str, size_wh: tuple[int, int], *, build: bool, run_s: float) -> tuple[dict[str, Any], list[str]]:
    """One run; its intervals, and what was said in it."""
    said: list[str] = []
    looks = {look: load_looks()[look]}
    controls = Controls((look,), look=look)
    more: dict[str, Any] = {} if build else {"wanted": lambda *_: ()}
    wardrobe = Wardrobe(looks, runtime="auto", say=said.append, aside=True, **more)
    sink = Stamps()
    source = DemoSource(size_wh=size_wh, fps=FPS, pace=True)
    started_s = time.monotonic()
    pipeline = Pipeline(Parts(source, FaceMeshTracker(), [sink], wardrobe, controls), fps=FPS, say=said.append)
    thread = threading.Thread(target=pipeline.run)
    thread.start()
    _until(lambda: bool(sink.at_s), 60.0)
    _until(lambda: build and not wardrobe.upgrades.busy() and time.monotonic() > started_s + 2 * _SETTLED_S, run_s)
    pipeline.stop()
    thread.join()
    at_s = np.array(sink.at_s)
    gaps_ms = np.diff(at_s[at_s > at_s[0] + _SETTLED_S]) * 1e3
    usual_ms = float(np.median(gaps_ms))
    found = {
        "first_frame_s": round(float(at_s[0]) - started_s, 2),
        "frames": len(gaps_ms) + 1,
        "usual_ms": round(usual_ms, 2),
        "p99_ms": round(float(np.percentile(gaps_ms, 99)), 2),
        "longest_ms": round(float(gaps_ms.max()), 2),
        "over_twice": int((gaps_ms > 2 * usual_ms).sum()),
    }
    return found, said


def _until(done: Callable[[], bool], limit_s: float) -> None:
    until_s = time.monotonic() + limit_s
    while not done() and time.monotonic() < until_s:
        time.sleep(0.02)


def main() -> None:
    """Print both runs as a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", default="toon")
    parser.add_argument("--size", default="1280x720", help="of the source")
    parser.add_argument("--control", type=float, default=60.0, metavar="SECONDS", help="how long the control runs")
    parser.add_argument("--limit", type=float, default=900.0, metavar="SECONDS", help="of the run that builds")
    parser.add_argument("--out", type=Path, help="write JSON there")
    wanted = parser.parse_args()
    about = machine()
    print(header(about))
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        os.environ["VENEER_HOME"] = home
        cv2.setNumThreads(1)  # as the program does
        for name, build, run_s in (("control", False, wanted.control), ("building", True, wanted.limit)):
            rows[name], said = intervals_ms(wanted.look, parse_size(wanted.size), build=build, run_s=run_s)
            print(*said, sep="\n", end="\n" if said else "")
    print(table(("run", *rows["control"]), [(name, *row.values()) for name, row in rows.items()]))
    if wanted.out:
        wanted.out.write_text(json.dumps({"machine": about, "look": wanted.look, **rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
