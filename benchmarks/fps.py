"""How fast the whole program is: `python -m benchmarks.fps`.

The demo portrait at full speed through source, tracker, generators and compositor into nothing, as the same pipeline
that runs live. Burn-in first; frames per second are counted over intervals; latency runs from the moment a picture
is complete in memory to the sink's return. The tracker alone, on the same frames in the same run, is the yardstick:
machines differ, the ratio to it does not much.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import header, machine, resident_mb, table
from engines.looks import load_looks
from live.frame import Frame
from live.options import LiveOptions, parse_size
from live.session import Session
from live.sources.demo import DemoSource
from live.tracking.face_mesh import FaceMeshTracker

_STAGES = ("track", "region", "generate", "composite", "send")


def measure_look(look: str, size_wh: tuple[int, int], frames: int, burn_in: int) -> dict[str, Any]:
    """Run one look through the pipeline; the report of the frames after the burn-in."""

    def restart(frame: Frame) -> None:
        if frame.frame_id == burn_in - 1:
            session.pipeline.timings.restart()

    options = LiveOptions(source="demo", look=look, sinks=("null",), size_wh=size_wh, frames=burn_in + frames)
    session = Session(options, on_frame=restart, ctl=False)
    report = session.run()
    return {**report, "look": look, "size": f"{size_wh[0]}x{size_wh[1]}", "resident_mb": round(resident_mb(), 1)}


def tracker_only_fps(size_wh: tuple[int, int], frames: int) -> float:
    """The demo frames through the tracker and nothing else, in one thread; frames per second of the median frame."""
    source = DemoSource(size_wh=size_wh, fps=30.0, pace=False, frames=frames)
    tracker = FaceMeshTracker()
    took_s = []
    try:
        source.open()
        tracker.open()
        while (frame := source.read()) is not None:
            started_s = time.perf_counter()
            tracker.track(frame)
            took_s.append(time.perf_counter() - started_s)
    finally:
        tracker.close()
        source.close()
    return 1.0 / float(np.median(took_s))


def cold_start_s(look: str, *, cached: bool) -> float:
    """Seconds from the start of a new process to the end of a run of one frame; with or without converted engines."""
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "VENEER_HOME": home}
        arguments = f"run --source demo --sink null --frames 1 --look {look}"
        command = [sys.executable, "-m", "live", *arguments.split()]
        for _ in range(2 if cached else 1):
            started_s = time.perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            took_s = time.perf_counter() - started_s
    return took_s


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--look", action="append", help="may be given several times; all looks if not given")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=1500)
    parser.add_argument("--burn-in", type=int, default=200)
    parser.add_argument("--start", action="store_true", help="measure the cold start too")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    about, size_wh = machine(), parse_size(wanted.size)
    print(header(about))
    alone = tracker_only_fps(size_wh, 400)
    rows, reports = [], []
    for look in wanted.look or list(load_looks()):
        report = measure_look(look, size_wh, wanted.frames, wanted.burn_in)
        reports.append({**report, "tracker_only_fps": round(alone, 1), "ratio": round(report["fps"] / alone, 2)})
        stages, latency = report["stages_ms"], report["latency_ms"]
        lips_ms = sum(stages[name]["p50"] for name in ("region", "generate", "composite"))
        rows.append(
            [look, report["fps"], report["fps"] / alone, latency["p50"], latency["p95"], latency["p99"], lips_ms]
            + [f"{stages[name]['p50']:.2f}/{stages[name]['p95']:.2f}" for name in _STAGES]
            + [report["dropped"], report["resident_mb"]]
        )
    names = ["look", "fps", "x tracker", "lat p50", "p95", "p99", "lips ms", *_STAGES, "dropped", "MB"]
    print(f"{wanted.size}, {wanted.frames} frames after {wanted.burn_in} of burn-in; tracker alone {alone:.0f} fps")
    print("latency and stages (p50/p95) in ms; lips ms: region + generate + composite, medians")
    print(table(names, rows))
    result: dict[str, Any] = {"machine": about, "runs": reports}
    if wanted.start:
        look = (wanted.look or ["glaze"])[0]
        result["cold_start_s"] = {
            "first_ever": round(cold_start_s(look, cached=False), 2),
            "cached": round(cold_start_s(look, cached=True), 2),
        }
        print(f"new process to one finished {look} frame and exit: {result['cold_start_s']}")
    if wanted.json:
        wanted.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
