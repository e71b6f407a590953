"""Measurement of one configuration of `benchmarks.fps` in its own process.

Order: the tracker alone, the pipeline at full speed, the tracker alone again, the pipeline at a camera's frame rate.
The CPU time includes everything in the process, also the generation of the footage.
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
from benchmarks.fps_matrix.film import FPS, StoppableFilm, open_film
from benchmarks.fps_matrix.fixed_backend import FixedBackendLoader, backends_text, fallback_text
from benchmarks.fps_matrix.gpu_usage import GpuSampler
from benchmarks.fps_matrix.plan import SETTLE_FRAMES, Case, Extent
from engines.errors import VeneerError
from engines.looks import Look, find_look
from engines.looks_file import load_looks
from engines.runtime import autotune_choice
from engines.runtime.base import NotUsableError
from engines.styles import Style
from live.control.controls import Controls, ControlState
from live.option_values import parse_size
from live.pipeline.frame import Face, Frame
from live.pipeline.pipeline import Parts, Pipeline
from live.pipeline.timing import STAGES
from live.sinks.null_sink import NullSink
from live.tracking.face_mesh import FaceMeshTracker

_PAINTING = ("region", "generate", "composite")
_MIN_BURN_IN = 5
_MEMORY_SAMPLES = 20
_LIVE_BURN_IN = 15


class _Monitor:
    """Frame callback that ends the burn-in and the footage, and records resource use between them."""

    def __init__(self, film: StoppableFilm, extent: Extent) -> None:
        self._film, self._extent = film, extent
        self._first_s = self._began_s = self._now_s = 0.0
        self._began_cpu_s = self._now_cpu_s = 0.0
        self._dropped_before, self._next_sample = 0, 0
        self._gpu = GpuSampler()
        self.pipeline: Pipeline | None = None
        self.resident_mb = 0.0

    def __call__(self, frame: Frame, _state: ControlState) -> None:
        self._now_s, self._now_cpu_s = time.monotonic(), time.process_time()
        self._first_s = self._first_s or self._now_s
        if not self._began_s and self._is_warm(frame.frame_id + 1):
            self._begin(frame.frame_id)
        if self._began_s and frame.frame_id >= self._next_sample:
            self._next_sample = frame.frame_id + max(1, self._extent.frames // _MEMORY_SAMPLES)
            self.resident_mb = max(self.resident_mb, resident_mb())

    def _is_warm(self, frames: int) -> bool:
        limit_s = (self._extent.seconds or np.inf) / 3
        timed_out = self._now_s - self._first_s >= limit_s and frames >= _MIN_BURN_IN
        return frames >= self._extent.burn_in or timed_out

    def _begin(self, frame_id: int) -> None:
        assert self.pipeline is not None
        self.pipeline.timings.restart()
        self._dropped_before = self.pipeline.dropped
        self._began_s, self._began_cpu_s = self._now_s, self._now_cpu_s
        until_s = self._now_s + (self._extent.seconds or np.inf)
        self._film.set_end(last_id=frame_id + self._extent.frames, until_s=until_s)
        self._gpu.start()

    def report(self) -> dict[str, Any]:
        """Return the resource use; call once after the run."""
        assert self.pipeline is not None
        elapsed_s = self._now_s - self._began_s
        gpu = self._gpu.stop()
        cpu = (self._now_cpu_s - self._began_cpu_s) / elapsed_s if self._began_s and elapsed_s > 0 else 0.0
        return {
            "dropped": self.pipeline.dropped - self._dropped_before,
            "cpu_percent": round(100 * cpu, 1),
            "gpu": gpu,
            "resident_mb": round(self.resident_mb, 1),
        }


class _CountingTracker(FaceMeshTracker):
    """Face tracker that counts frames and faces."""

    frames = faces = 0

    def track(self, frame: Frame) -> tuple[Face, ...]:
        found = super().track(frame)
        self.frames += 1
        self.faces += len(found)
        return found


def run(case: Case, extent: Extent, look_loader: FixedBackendLoader, *, pace: bool) -> dict[str, Any]:
    """Run the look through the whole pipeline without output, and close the loader. Raises VeneerError."""
    film = StoppableFilm(open_film(case.faces, parse_size(case.size), pace=pace, film=extent.film))
    monitor, tracker = _Monitor(film, extent), _CountingTracker(max_faces=case.faces)
    parts = Parts(film, tracker, [NullSink()], look_loader, Controls((case.look,), look=case.look))
    monitor.pipeline = pipeline = Pipeline(parts, say=_say, on_frame=monitor)
    pipeline.run()
    report = pipeline.timings.report()
    if not report["fps"]:
        raise VeneerError(str(case), f"only {pipeline.timings.frames_out} frames came out after the burn-in")
    faces_per_frame = round(tracker.faces / max(1, tracker.frames), 2)
    return {**report, **monitor.report(), "faces_a_frame": faces_per_frame, "paced_fps": FPS if pace else None}


def time_tracker(case: Case, extent: Extent, *, skip: int) -> list[float]:
    """Return the seconds per frame of the tracker alone, in one thread, after `skip` frames of the footage."""
    film = open_film(case.faces, parse_size(case.size), pace=False, film=extent.film)
    tracker = FaceMeshTracker(max_faces=case.faces)
    durations_s: list[float] = []
    until_s = np.inf
    try:
        film.open()
        tracker.open()
        for number in range(skip + extent.tracker_frames):
            frame = film.read()
            if frame is None or number < skip - SETTLE_FRAMES:
                continue
            started_s = time.perf_counter()
            tracker.track(frame)
            if number >= max(skip, SETTLE_FRAMES):
                durations_s.append(time.perf_counter() - started_s)
            until_s = min(until_s, started_s + (extent.seconds or np.inf) / 4)
            if time.perf_counter() > until_s and durations_s:
                break
    finally:
        tracker.close()
        film.close()
    return durations_s


def measure(case: Case, extent: Extent) -> dict[str, Any]:
    """Measure one configuration. Raises NotUsableError if its backend is missing here, VeneerError if it fails."""
    cv2.setNumThreads(1)  # as in veneer run
    look = autotune_choice.with_chosen_sizes(find_look(load_looks(), case.look))
    look_loader = FixedBackendLoader(look, case.backend, say=_say)
    look_loader.prepare_engines()
    tracker_s = time_tracker(case, extent, skip=0)
    report = run(case, extent, look_loader, pace=False)
    infos = look_loader.engines(look.name)
    tracker_s += time_tracker(case, extent, skip=extent.tracker_frames)
    tracker_fps = len(tracker_s) / sum(tracker_s)
    styles = [layer.style for layer in look.layers if isinstance(layer.style, Style)]
    medians_ms = {name: float(report["stages_ms"][name]["p50"]) for name in STAGES}
    report |= {
        "engine": backends_text(infos),
        "engines": [asdict(info) for info in infos],
        "fallback": fallback_text(infos, case.backend),
        "regions": ["{} {} {}x{}".format(style.name, style.region, *style.size_wh) for style in styles],
        "wait_ms": round(max(0.0, float(report["latency_ms"]["p50"]) - sum(medians_ms.values())), 3),
        "painting_ms": round(sum(medians_ms[name] for name in _PAINTING), 3),
        "tracker_only_fps": round(tracker_fps, 1),
        "tracker_only_ms": round(float(np.median(tracker_s)) * 1e3, 2),
        "ratio": round(report["fps"] / tracker_fps, 3),
        "cut": report["frames_out"] < extent.frames,
    }
    return {**asdict(case), **report, "live": _measure_live(case, extent, look)}


def _measure_live(case: Case, extent: Extent, look: Look) -> dict[str, Any] | None:
    """Measure at 30 frames per second, where late frames are dropped."""
    if not extent.live_s:
        return None
    frames = max(2, round(extent.live_s * FPS))
    live_extent = Extent(frames, min(extent.burn_in, _LIVE_BURN_IN), 3 * extent.live_s, 0.0, extent.film)
    try:
        return run(case, live_extent, FixedBackendLoader(look, case.backend, say=_say), pace=True)
    except VeneerError as error:  # the results at full speed remain valid
        return {"failed": str(error)}


def _say(line: str) -> None:
    sys.stderr.write(f"veneer: {line}\n")


def main() -> None:
    """Arguments: configuration and extent as JSON, and the result file."""
    about, out = json.loads(sys.argv[1]), Path(sys.argv[2])
    found: dict[str, Any]
    try:
        found = measure(Case(**about["case"]), Extent(**about["extent"]))
    except NotUsableError as error:
        found = {"unavailable": str(error)}
    except VeneerError as error:
        found = {"failed": str(error)}
    out.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
