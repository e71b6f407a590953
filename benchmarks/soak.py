"""Does it stay as it is for hours? `python -m benchmarks.soak --minutes 30`.

The demo portrait at a camera's pace through the whole program into nothing, while memory, threads, file handles and
the rate of the frames are noted every few seconds. What is asked: after the warm-up, memory grows by less than 2 MB
and the rate stays flat within 3 %; both are said at the end, with the numbers. Exit code 1 where one does not hold.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.common.arguments import Parser, check_writable, ended, number
from benchmarks.common.machine_info import header, machine, resident_mb, table
from benchmarks.common.process_info import anonymous_mb, handles, native_threads
from engines.errors import OptionsError
from engines.looks import find_look, load_looks
from live.control.controls import parse_command
from live.options import LiveOptions, parse_size
from live.pipeline.frame import Frame
from live.session import Session
from live.sources.demo_source import DemoSource

MOST_GROWTH_MB = 2.0
MOST_UNEVEN = 0.03
_PARTS = 10  # the time after the warm-up is looked at in so many equal parts


@dataclass(frozen=True, slots=True)
class Sample:
    """How things are at one moment.

    Attributes:
        at_s: since the first frame.
        frames: that were finished so far.
        fps: over the time since the sample before.
        resident_mb: memory that the process holds, the pages of files it has open among them.
        anonymous_mb: the part of it that is no page of any file: what a leak would be.
        threads: of the whole process, those of the libraries too.
        handles: open files, sockets and devices.
        dropped: frames that were overtaken by newer ones so far.
    """

    at_s: float
    frames: int
    fps: float
    resident_mb: float
    anonymous_mb: float
    threads: int
    handles: int
    dropped: int


class Watch:
    """Notes a sample every `every_s` seconds, from the first frame to the end of the run.

    Args:
        every_s: from sample to sample.
        switch_s: how often another look is put on; 0 for never.
    """

    def __init__(self, *, every_s: float, switch_s: float = 0.0) -> None:
        self.samples: list[Sample] = []
        self._every_s, self._switch_s = every_s, switch_s
        self._frames = 0
        self._began, self._ended = threading.Event(), threading.Event()

    def count(self, _frame: Frame) -> None:
        """A frame is finished."""
        self._frames += 1
        self._began.set()

    def run(self, session: Session, seconds: float) -> dict[str, Any]:
        """The whole run; its report. Ctrl-C ends it earlier."""
        watcher = threading.Thread(target=self._watch, args=(session, seconds), name="soak", daemon=True)
        watcher.start()
        try:
            return session.run()
        finally:
            self._ended.set()
            self._began.set()
            watcher.join(5.0)

    def _watch(self, session: Session, seconds: float) -> None:
        self._began.wait()
        looks = itertools.cycle(range(1, len(session.controls.look_names) + 1))
        began_s = last_s = time.monotonic()
        switched_s, last_frames = began_s, self._frames
        while not self._ended.wait(max(0.0, last_s + self._every_s - time.monotonic())):
            now_s, frames = time.monotonic(), self._frames
            fps = (frames - last_frames) / (now_s - last_s)
            held = resident_mb(), anonymous_mb(), native_threads(), handles()
            self.samples.append(Sample(now_s - began_s, frames, fps, *held, session.pipeline.dropped))
            last_s, last_frames = now_s, frames
            if now_s - began_s >= seconds:
                session.pipeline.stop()
                return
            if self._switch_s and now_s - switched_s >= self._switch_s:
                switched_s = now_s
                session.controls.apply(parse_command(["look", str(next(looks))], session.controls.look_names))


def judged(samples: list[Sample], warm_up_s: float) -> dict[str, Any]:
    """What the samples after the warm-up say.

    Returns:
        growth_mb: resident memory, the median of the last tenth less that of the first tenth; anonymous_growth_mb the
        same. uneven: how far the mean rate of a tenth is from that of the whole at most, as a fraction.
        more_threads, more_handles: the last tenth against the first.
        Empty where there are fewer samples than parts.
    """
    after = [sample for sample in samples if sample.at_s >= warm_up_s]
    if len(after) < _PARTS:
        return {}
    edges = [round(part * len(after) / _PARTS) for part in range(_PARTS + 1)]
    parts = [after[begin:end] for begin, end in itertools.pairwise(edges)]

    def risen(name: str) -> float:
        first, last = (median(getattr(sample, name) for sample in part) for part in (parts[0], parts[-1]))
        return float(last - first)

    rates = [sum(sample.fps for sample in part) / len(part) for part in parts]
    mean = sum(sample.fps for sample in after) / len(after)
    growth_mb, uneven = risen("resident_mb"), max(abs(rate / mean - 1) for rate in rates) if mean else 1.0
    return {
        "minutes": round((after[-1].at_s - after[0].at_s) / 60, 2),
        "warm_up_s": warm_up_s,
        "fps": round(mean, 2),
        "fps_of_tenths": [round(rate, 2) for rate in rates],
        "uneven": round(uneven, 4),
        "growth_mb": round(growth_mb, 2),
        "anonymous_growth_mb": round(risen("anonymous_mb"), 2),
        "more_threads": risen("threads"),
        "more_handles": risen("handles"),
        "memory_holds": growth_mb < MOST_GROWTH_MB,
        "fps_holds": uneven <= MOST_UNEVEN,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The judgement for a person."""
    if not found:
        return [f"too short to judge: at least {_PARTS} samples after the warm-up are wanted"]
    words = {True: "holds", False: "DOES NOT HOLD"}
    return [
        f"memory over {found['minutes']:g} min after {found['warm_up_s']:g} s of warm-up: {found['growth_mb']:+.2f} MB"
        f" (not of files: {found['anonymous_growth_mb']:+.2f} MB); under {MOST_GROWTH_MB:g} MB"
        f" {words[found['memory_holds']]}",
        f"frames per second: {found['fps']:.2f}, its tenths within {found['uneven']:.1%}; {MOST_UNEVEN:.0%}"
        f" {words[found['fps_holds']]}",
        f"threads {found['more_threads']:+g}, file handles {found['more_handles']:+g}",
    ]


def save(out: Path, samples: list[Sample], report: dict[str, Any]) -> None:
    """Write OUT.csv, OUT.json and OUT.png."""
    with out.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, [field.name for field in fields(Sample)])
        rows.writeheader()
        rows.writerows({name: round(value, 3) for name, value in asdict(sample).items()} for sample in samples)
    out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _plot(out.with_suffix(".png"), samples, report["found"].get("warm_up_s", 0.0))


def _plot(path: Path, samples: list[Sample], warm_up_s: float) -> None:
    from matplotlib.figure import Figure  # one of mediapipe's own needs

    minutes = [sample.at_s / 60 for sample in samples]
    figure = Figure(figsize=(9, 7), layout="constrained")
    panels = figure.subplots(3, 1, sharex=True)
    for panel, names, unit in (
        (panels[0], ("resident_mb", "anonymous_mb"), "MB"),
        (panels[1], ("fps",), "frames per second"),
        (panels[2], ("threads", "handles"), "count"),
    ):
        for name in names:
            panel.plot(minutes, [getattr(sample, name) for sample in samples], label=name.replace("_", " "))
        panel.axvspan(0, warm_up_s / 60, color="0.9")
        panel.set_ylabel(unit)
        panel.set_ylim(bottom=0)
        panel.legend(loc="lower right")
    panels[2].set_xlabel("minutes (grey: warm-up)")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Soak, and say whether it stayed as it was.

    Raises:
        VeneerError: a value is wrong, or the run fails.
    """
    parser, most_s = Parser("soak", __doc__), 7 * 86400
    parser.add_argument("--minutes", type=number(0.05, most_s / 60), default=30.0)
    parser.add_argument("--warm-up-s", type=number(0, most_s), default=300.0, help="at most a fifth of the whole")
    parser.add_argument("--every-s", type=number(0.05, 3600), default=5.0)
    parser.add_argument("--switch-s", type=number(0, most_s), default=0.0, help="the next look every so many seconds")
    parser.add_argument("--look", default="glaze")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--fps", type=number(1, 240), default=30.0)
    parser.add_argument("--out", type=Path, default=Path("soak"), help="writes OUT.csv, OUT.json and OUT.png")
    wanted = parser.parse_args()
    size_wh, seconds = parse_size(wanted.size), wanted.minutes * 60
    find_look(load_looks(), wanted.look)
    if not wanted.out.name:
        raise OptionsError(f"--out {wanted.out}", "it names no file", "write the beginning of three files' names")
    for ending in (".csv", ".json", ".png"):
        check_writable("--out", wanted.out.with_suffix(ending))
    options = LiveOptions(source="demo", look=wanted.look, sinks=("null",), size_wh=size_wh, fps=wanted.fps)
    watch = Watch(every_s=min(wanted.every_s, seconds / 40), switch_s=wanted.switch_s)
    source = DemoSource(size_wh=size_wh, fps=wanted.fps, pace=True)
    about = machine()
    report = watch.run(Session(options, source=source, on_frame=watch.count), seconds)
    found = judged(watch.samples, min(wanted.warm_up_s, seconds / 5))
    asked = {name: str(value) for name, value in vars(wanted).items()}
    save(wanted.out, watch.samples, {"asked": asked, "machine": about, "found": found, "run": report})
    shown = watch.samples[:: max(1, len(watch.samples) // 15)]
    columns = ("at_s", "fps", "resident_mb", "anonymous_mb", "threads", "handles", "dropped")
    print(header(about))
    print(table(columns, [[getattr(sample, name) for name in columns] for sample in shown]))
    print(*lines(found), sep="\n")
    sys.stdout.flush()
    # At once, as the program itself ends: a look that was still being made ready would make the runtime abort.
    os._exit(0 if found and found["memory_holds"] and found["fps_holds"] else 1)


if __name__ == "__main__":
    sys.exit(ended("soak", main))
