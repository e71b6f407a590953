"""One configuration of `benchmarks.fps`, measured in a process of its own: memory and processor time are its alone.

The order is: the tracker alone, the whole pipeline at full speed, the tracker alone again, and the pipeline once more
as a camera of 30 frames a second feeds it. Processor time holds everything the process does, the drawing of the film
too.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common.machine_info import resident_mb
from benchmarks.fps_matrix.gpu_watch import GpuWatch
from benchmarks.fps_matrix.named_engines import OneWay, RefusedError, ran_on, strayed
from benchmarks.fps_matrix.plan import SETTLED, Case, Extent
from benchmarks.fps_matrix.test_film import FPS, Ending, open_film
from engines.errors import VeneerError
from engines.looks import Look, find_look, load_looks
from engines.runtime import autotune_choice
from engines.styles import Style
from live.control.controls import Controls, ControlState
from live.options import parse_size
from live.pipeline.frame import Face, Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.timing import STAGES
from live.sinks.null_sink import NullSink
from live.tracking.face_mesh import FaceMeshTracker

PAINTING = ("region", "generate", "composite")
_LEAST_BURN_IN = 5
_SAMPLES = 20  # of memory in a run
_LIVE_BURN_IN = 15


class _Watch:
    """Called with each finished frame: ends the burn-in and the film, and notes what the process used in between."""

    def __init__(self, film: Ending, extent: Extent) -> None:
        self._film, self._extent = film, extent
        self._first_s = self._began_s = self._now_s = 0.0
        self._began_cpu_s = self._now_cpu_s = 0.0
        self._dropped_before, self._next_sample = 0, 0
        self._gpu = GpuWatch()
        self.pipeline: Pipeline | None = None
        self.resident_mb = 0.0

    def __call__(self, frame: Frame, _state: ControlState) -> None:
        self._now_s, self._now_cpu_s = time.monotonic(), time.process_time()
        self._first_s = self._first_s or self._now_s
        if not self._began_s and self._is_warm(frame.frame_id + 1):
            self._begin(frame.frame_id)
        if self._began_s and frame.frame_id >= self._next_sample:
            self._next_sample = frame.frame_id + max(1, self._extent.frames // _SAMPLES)
            self.resident_mb = max(self.resident_mb, resident_mb())

    def _is_warm(self, frames: int) -> bool:
        limit_s = (self._extent.seconds or np.inf) / 3
        late = self._now_s - self._first_s >= limit_s and frames >= _LEAST_BURN_IN
        return frames >= self._extent.burn_in or late

    def _begin(self, frame_id: int) -> None:
        assert self.pipeline is not None
        self.pipeline.timings.restart()
        self._dropped_before = self.pipeline.dropped
        self._began_s, self._began_cpu_s = self._now_s, self._now_cpu_s
        until_s = self._now_s + (self._extent.seconds or np.inf)
        self._film.end(last_id=frame_id + self._extent.frames, until_s=until_s)
        self._gpu.start()

    def found(self) -> dict[str, Any]:
        """What was used; to be asked once, when the run is over."""
        assert self.pipeline is not None
        lasted_s = self._now_s - self._began_s
        gpu = self._gpu.stop()
        used = (self._now_cpu_s - self._began_cpu_s) / lasted_s if self._began_s and lasted_s > 0 else 0.0
        return {
            "dropped": self.pipeline.dropped - self._dropped_before,
            "cpu_percent": round(100 * used, 1),
            "gpu": gpu,
            "resident_mb": round(self.resident_mb, 1),
        }


class _Counted(FaceMeshTracker):
    """The tracker, and how many faces it found on how many frames."""

    frames = faces = 0

    def track(self, frame: Frame) -> tuple[Face, ...]:
        found = super().track(frame)
        self.frames += 1
        self.faces += len(found)
        return found


def run(case: Case, extent: Extent, look_loader: OneWay, *, pace: bool) -> dict[str, Any]:
    """The look through the whole pipeline, as it runs live, into nothing; the wardrobe is closed afterwards.

    Raises:
        VeneerError: the run failed, or gave no frames to measure.
    """
    film = Ending(open_film(case.faces, parse_size(case.size), pace=pace))
    watch, tracker = _Watch(film, extent), _Counted(max_faces=case.faces)
    parts = Parts(film, tracker, [NullSink()], look_loader, Controls((case.look,), look=case.look))
    watch.pipeline = pipeline = Pipeline(parts, say=_say, on_frame=watch)
    pipeline.run()
    report = pipeline.timings.report()
    if not report["fps"]:
        raise VeneerError(str(case), f"only {pipeline.timings.frames_out} frames came out after the burn-in")
    found = round(tracker.faces / max(1, tracker.frames), 2)
    return {**report, **watch.found(), "faces_a_frame": found, "paced_fps": FPS if pace else None}


def tracker_alone_s(case: Case, extent: Extent, *, skip: int) -> list[float]:
    """Seconds that the tracker takes for each frame of the film, in one thread, with nothing beside it.

    Args:
        skip: so many frames of the film are left out first.
    """
    film, tracker = open_film(case.faces, parse_size(case.size), pace=False), FaceMeshTracker(max_faces=case.faces)
    took_s: list[float] = []
    until_s = np.inf
    try:
        film.open()
        tracker.open()
        for number in range(skip + extent.tracker_frames):
            frame = film.read()
            if frame is None or number < skip - SETTLED:
                continue
            started_s = time.perf_counter()
            tracker.track(frame)
            took_s += [time.perf_counter() - started_s] if number >= max(skip, SETTLED) else []
            until_s = min(until_s, started_s + (extent.seconds or np.inf) / 4)
            if time.perf_counter() > until_s and took_s:
                break
    finally:
        tracker.close()
        film.close()
    return took_s


def measure(case: Case, extent: Extent) -> dict[str, Any]:
    """Everything about one configuration; see `benchmarks.fps` for what the names mean.

    Raises:
        RefusedError: its engines cannot be had here.
        VeneerError: it failed.
    """
    cv2.setNumThreads(1)  # as the program does
    look = autotune_choice.with_chosen_sizes(find_look(load_looks(), case.look))
    look_loader = OneWay(look, case.way, say=_say)
    look_loader.prepared()
    alone_s = tracker_alone_s(case, extent, skip=0)
    report = run(case, extent, look_loader, pace=False)
    infos = look_loader.engines(look.name)
    alone_s += tracker_alone_s(case, extent, skip=extent.tracker_frames)
    alone_fps = len(alone_s) / sum(alone_s)
    report |= {
        "engine": ran_on(infos),
        "engines": [info.as_dict() for info in infos],
        "strayed": strayed(infos, case.way),
        "regions": _regions(look),
        "wait_ms": _waiting_ms(report),
        "painting_ms": round(sum(report["stages_ms"][name]["p50"] for name in PAINTING), 3),
        "tracker_only_fps": round(alone_fps, 1),
        "tracker_only_ms": round(float(np.median(alone_s)) * 1e3, 2),
        "ratio": round(report["fps"] / alone_fps, 3),
        "cut": report["frames_out"] < extent.frames,
    }
    return {**asdict(case), **report, "live": _live(case, extent, look)}


def _live(case: Case, extent: Extent, look: Look) -> dict[str, Any] | None:
    """The same as a camera of 30 frames a second feeds it: the newest frame wins, and what is late is dropped."""
    if not extent.live_s:
        return None
    frames = max(2, round(extent.live_s * FPS))
    again = Extent(frames, min(extent.burn_in, _LIVE_BURN_IN), 3 * extent.live_s, 0.0)
    try:
        return run(case, again, OneWay(look, case.way, say=_say), pace=True)
    except VeneerError as error:  # the numbers at full speed are there
        return {"failed": str(error)}


def _regions(look: Look) -> list[str]:
    """What each network of the look paints, and at which size."""
    styles = [layer.style for layer in look.layers if isinstance(layer.style, Style)]
    return ["{} {} {}x{}".format(style.name, style.region, *style.size_wh) for style in styles]


def _waiting_ms(report: dict[str, Any]) -> float:
    """The part of the median latency that no stage accounts for: a frame waits behind the one before it."""
    worked_ms = sum(float(report["stages_ms"][name]["p50"]) for name in STAGES)
    return round(max(0.0, float(report["latency_ms"]["p50"]) - worked_ms), 3)


def _say(line: str) -> None:
    sys.stderr.write(f"veneer: {line}\n")


def main() -> None:
    """Called with the configuration and its extent as JSON, and the file that takes what was found."""
    about, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    found: dict[str, Any]
    try:
        found = measure(Case(**about["case"]), Extent(**about["extent"]))
    except RefusedError as error:
        found = {"refused": str(error)}
    except VeneerError as error:
        found = {"failed": str(error)}
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
