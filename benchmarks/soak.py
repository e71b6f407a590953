"""Stability over hours: `python -m benchmarks.soak --minutes 30`.

Runs the demo at a camera's frame rate through the whole program without output, and samples memory, threads, file
handles and frame rate. Criteria after the warm-up: memory grows by less than 2 MB, and the frame rate stays within 3 %
of its mean. Exit code 1 if a criterion is not met. With --full-speed, frames are not paced and only memory counts.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import fmean, median
from typing import Any

from benchmarks.common.arguments import Parser, number, run_main
from benchmarks.common.machine_info import (
    anonymous_mb,
    header,
    machine,
    native_threads,
    open_handles,
    resident_mb,
    table,
)
from benchmarks.common.plots import new_figure, save_figure
from engines.errors import OptionsError
from engines.files import atomic_write, check_writable, write_json
from engines.looks import find_look
from engines.looks_file import load_looks
from live.control.controls import parse_command
from live.option_values import parse_size
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.session import Session
from live.sources.demo_source import DemoSource

MAX_GROWTH_MB = 2.0
MAX_FPS_DEVIATION = 0.03
_PARTS = 10  # equal parts of the time after the warm-up
_MAX_S = 7 * 86400


@dataclass(frozen=True, slots=True)
class Sample:
    """State of the process `at_s` seconds after the first frame; the field names are the columns of the CSV file.

    Attributes:
        fps: Frame rate since the previous sample.
        anonymous_mb: Resident memory not backed by files; a leak appears here.
    """

    at_s: float
    frames: int
    fps: float
    resident_mb: float
    anonymous_mb: float
    threads: int
    handles: int
    dropped: int


class Sampler:
    """Samples every `interval_s` seconds until the run ends; changes the look every `switch_s` seconds, 0 for never."""

    def __init__(self, *, interval_s: float, switch_s: float = 0.0) -> None:
        self.samples: list[Sample] = []
        self._interval_s, self._switch_s = interval_s, switch_s
        self._frames = 0
        self._started, self._ended = threading.Event(), threading.Event()

    def on_frame(self, _frame: Frame) -> None:
        """Count a completed frame."""
        self._frames += 1
        self._started.set()

    def run(self, session: Session, seconds: float) -> dict[str, Any]:
        """Run the session for a time, or until Ctrl-C, and return its report."""
        thread = threading.Thread(target=self._sample, args=(session, seconds), name="sampler", daemon=True)
        thread.start()
        try:
            return session.run()
        finally:
            self._ended.set()
            self._started.set()
            thread.join(5.0)

    def _sample(self, session: Session, seconds: float) -> None:
        self._started.wait()
        looks = itertools.cycle(range(1, len(session.controls.look_names) + 1))
        started_s = last_s = switched_s = time.monotonic()
        last_frames = self._frames
        while not self._ended.wait(max(0.0, last_s + self._interval_s - time.monotonic())):
            now_s, frames = time.monotonic(), self._frames
            fps = (frames - last_frames) / (now_s - last_s)
            resources = resident_mb(), anonymous_mb(), native_threads(), open_handles()
            self.samples.append(Sample(now_s - started_s, frames, fps, *resources, session.pipeline.dropped))
            last_s, last_frames = now_s, frames
            if now_s - started_s >= seconds:
                session.pipeline.stop()
                return
            if self._switch_s and now_s - switched_s >= self._switch_s:
                switched_s = now_s
                session.controls.apply(parse_command(["look", str(next(looks))]))


def evaluate(samples: list[Sample], warm_up_s: float) -> dict[str, Any]:
    """Evaluate the samples after the warm-up in ten parts; empty if there are fewer samples than parts.

    Growth of memory, threads and handles is the median of the last part minus that of the first. `fps_deviation` is the
    largest relative difference between the mean frame rate of a part and that of the whole.
    """
    after = [sample for sample in samples if sample.at_s >= warm_up_s]
    if len(after) < _PARTS:
        return {}
    edges = [round(part * len(after) / _PARTS) for part in range(_PARTS + 1)]
    parts = [after[begin:end] for begin, end in itertools.pairwise(edges)]

    def growth(name: str) -> float:
        first, last = (median(getattr(sample, name) for sample in part) for part in (parts[0], parts[-1]))
        return float(last - first)

    rates = [fmean(sample.fps for sample in part) for part in parts]
    mean = fmean(sample.fps for sample in after)
    growth_mb, deviation = growth("resident_mb"), max(abs(rate / mean - 1) for rate in rates) if mean else 1.0
    return {
        "minutes": round((after[-1].at_s - after[0].at_s) / 60, 2),
        "warm_up_s": warm_up_s,
        "fps": round(mean, 2),
        "fps_of_tenths": [round(rate, 2) for rate in rates],
        "fps_deviation": round(deviation, 4),
        "growth_mb": round(growth_mb, 2),
        "anonymous_growth_mb": round(growth("anonymous_mb"), 2),
        "more_threads": growth("threads"),
        "more_handles": growth("handles"),
        "memory_holds": growth_mb < MAX_GROWTH_MB,
        "fps_holds": deviation <= MAX_FPS_DEVIATION,
    }


def summary(found: dict[str, Any]) -> list[str]:
    """Format the result of `evaluate`."""
    if not found:
        return [f"too short to evaluate: at least {_PARTS} samples after the warm-up are needed"]
    results = {True: "holds", False: "DOES NOT HOLD"}
    return [
        f"memory over {found['minutes']:g} min after {found['warm_up_s']:g} s of warm-up: {found['growth_mb']:+.2f} MB"
        f" (anonymous: {found['anonymous_growth_mb']:+.2f} MB); limit {MAX_GROWTH_MB:g} MB:"
        f" {results[found['memory_holds']]}",
        f"frames per second: {found['fps']:.2f}, tenths within {found['fps_deviation']:.1%}; limit"
        f" {MAX_FPS_DEVIATION:.0%}: {results[found['fps_holds']]}",
        f"threads {found['more_threads']:+g}, file handles {found['more_handles']:+g}",
    ]


def save(out: Path, samples: list[Sample], report: dict[str, Any]) -> None:
    """Write OUT.csv, OUT.json and OUT.png."""
    text = io.StringIO()
    rows = csv.DictWriter(text, [field.name for field in fields(Sample)])
    rows.writeheader()
    rows.writerows({name: round(value, 3) for name, value in asdict(sample).items()} for sample in samples)
    atomic_write(out.with_suffix(".csv"), text.getvalue())
    write_json("--out", out.with_suffix(".json"), report)
    _plot(out.with_suffix(".png"), samples, report["found"].get("warm_up_s", 0.0))


def _plot(path: Path, samples: list[Sample], warm_up_s: float) -> None:
    minutes = [sample.at_s / 60 for sample in samples]
    figure = new_figure(9, 7)
    panels = figure.subplots(3, 1, sharex=True)
    columns = {"MB": ("resident_mb", "anonymous_mb"), "frames per second": ("fps",), "count": ("threads", "handles")}
    for panel, (unit, names) in zip(panels, columns.items(), strict=True):
        for name in names:
            panel.plot(minutes, [getattr(sample, name) for sample in samples], label=name.replace("_", " "))
        panel.axvspan(0, warm_up_s / 60, color="0.9")
        panel.set_ylabel(unit)
        panel.set_ylim(bottom=0)
        panel.legend(loc="lower right")
    panels[2].set_xlabel("minutes (grey: warm-up)")
    save_figure(path, figure)


def _parser() -> Parser:
    parser = Parser("soak", __doc__)
    add = parser.add_argument
    seconds, warm_up = number(0, _MAX_S), "seconds excluded at the start, at most a fifth of the run (default: 300)"
    add("--minutes", type=number(0.05, _MAX_S / 60), default=30.0, help="length of the run (default: 30)")
    add("--warm-up-s", type=seconds, default=300.0, help=warm_up)
    add("--every-s", type=number(0.05, 3600), default=5.0, help="seconds between samples (default: 5)")
    add("--switch-s", type=seconds, default=0.0, help="seconds between look changes (default: 0, none)")
    add("--fps", type=number(1, 240), default=30.0, help="frame rate of the source (default: 30)")
    add("--full-speed", action="store_true", help="process frames as fast as possible")
    add("--out", type=Path, default=Path("soak"), help="write OUT.csv, OUT.json and OUT.png")
    parser.add_look()
    parser.add_size()
    return parser


def main() -> None:
    """Run the soak test; exits with code 1 if a criterion is not met."""
    options = _parser().parse_args()
    size_wh, seconds = parse_size(options.size), options.minutes * 60
    find_look(load_looks(), options.look)
    if not options.out.name:
        raise OptionsError(f"--out {options.out}", "it names no file", "give the common start of three file names")
    for suffix in (".csv", ".json", ".png"):
        check_writable("--out", options.out.with_suffix(suffix))
    live_options = LiveOptions(source="demo", look=options.look, sinks=("null",), size_wh=size_wh, fps=options.fps)
    sampler = Sampler(interval_s=min(options.every_s, seconds / 40), switch_s=options.switch_s)
    source = DemoSource(size_wh=size_wh, fps=options.fps, pace=not options.full_speed)
    about = machine()
    report = sampler.run(Session(live_options, source=source, on_frame=sampler.on_frame), seconds)
    found = evaluate(sampler.samples, min(options.warm_up_s, seconds / 5))
    given = {name: str(value) for name, value in vars(options).items()}
    save(options.out, sampler.samples, {"options": given, "machine": about, "found": found, "run": report})
    shown = sampler.samples[:: max(1, len(sampler.samples) // 15)]
    columns = ("at_s", "fps", "resident_mb", "anonymous_mb", "threads", "handles", "dropped")
    print(header(about))
    print(table(columns, [[getattr(sample, name) for name in columns] for sample in shown]))
    print(*summary(found), sep="\n")
    sys.stdout.flush()
    # Without waiting for a look that is still being prepared: the runtime would abort.
    os._exit(0 if found and found["memory_holds"] and (found["fps_holds"] or options.full_speed) else 1)


if __name__ == "__main__":
    sys.exit(run_main("soak", main))
