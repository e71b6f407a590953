"""Times every runtime, precision and number of CPU threads, and selects the best combination for each look."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from calibration.autotune import autotune_rules as rules
from calibration.autotune.autotune_rules import ON_CPU, BackendThreads, region_sizes, scale_look
from calibration.autotune.tracker_load import TrackerLoad
from calibration.engine_checks.verdicts import Backend, check_engines, load_reference
from calibration.sets.set_pictures import stills
from engines.looks import Look
from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import engine_name
from engines.runtime.base import Engine, NotUsableError
from engines.runtime.call_times import CallTime, summarise, time_in_turns
from engines.runtime.openers import open_torch_cpu
from engines.runtime.probe import probe_bgr
from engines.styles import Style
from engines.text import first_line
from live.render.look_loader import LookLoader
from live.render.painter import Painter

SCALES = (1.0, 0.75, 0.5)  # of the region sides; smaller ones are tried only if the larger miss the budget
_BUDGET_SHARE = 0.8  # of the frame interval, for painting one frame
_ENGINE_S, _LOOK_S = 0.5, 1.0  # timed seconds for each engine and for each look
_MIN_FRAMES, _BURN_IN_FRAMES = 30, 10
_MAX_THREADS = 4
_SMALL_REGION_PX, _MAX_THREADS_SMALL = 10_000, 2  # lips: more threads do not help


@dataclass(frozen=True, slots=True)
class EngineTiming:
    """Result for one backend of one style at one size.

    Attributes:
        engine: As in "toon 256x256"; empty if the row holds for all engines.
        threads: Number of CPU threads; 0 if not applicable.
        rejected: Why it was not selected; empty for the selected backend.
    """

    engine: str
    backend: str
    threads: int
    time: CallTime | None
    rejected: str


@dataclass(frozen=True, slots=True)
class LookTiming:
    """Time to paint one face on a 1280x720 frame beside the tracker, for a look at one scale of its regions.

    `holds`: the 95th percentile is within the budget. `chosen`: this scale was selected.
    """

    look: str
    sizes: str
    time: CallTime
    holds: bool
    chosen: bool


@dataclass(slots=True)
class AutotuneReport:
    """Measurements and selections for a frame rate, the budget to paint a frame, and the file written."""

    fps: float
    budget_ms: float
    engines: list[EngineTiming] = field(default_factory=list)
    looks: list[LookTiming] = field(default_factory=list)
    file: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON output."""
        return {"machine": autotune_choice.fingerprint(), **asdict(self), "file": str(self.file)}


class Autotuner:
    """Measures looks one after the other for a frame rate; an engine that several looks share is measured once."""

    def __init__(self, *, fps: float, say: Callable[[str], None]) -> None:
        self.report = AutotuneReport(fps, round(_BUDGET_SHARE * 1000 / fps, 3))
        self._fps, self._say, self._progress = fps, say, ""
        self._engine_entries: dict[str, dict[str, Any]] = {}
        self._look_entries: dict[str, dict[str, Any]] = {}

    def measure(self, looks: Iterable[Look]) -> AutotuneReport:
        """Time the looks, select, and write the selection after each look. Looks without a network are skipped.

        Raises EngineError if the weights are not usable, or a verdict cannot be written; OSError if the selection
        cannot be written; TrackingError if the face model cannot be loaded.
        """
        networks = [look for look in looks if has_network(look)]
        for number, look in enumerate(networks, 1):
            self._progress = f"look {look.name}, {number} of {len(networks)}: "
            self._measure_look(look)
        self.report.engines = merge_common_rows(self.report.engines)
        return self.report

    def _say_progress(self, line: str) -> None:
        self._say(f"{self._progress}{line}")

    def _measure_look(self, look: Look) -> None:
        tried: list[tuple[Look, LookTiming]] = []
        for scale in SCALES:
            candidate = scale_look(look, scale)
            if tried and region_sizes(candidate) == region_sizes(tried[-1][0]):
                continue  # lips keep their size
            for layer in candidate.layers:
                if isinstance(layer.style, Style) and engine_name(layer.style) not in self._engine_entries:
                    self._measure_engines(layer.style)
            self._write()
            self._say_progress(f"painting at {region_sizes(candidate)}")
            paint_time = self._time_painting(candidate)
            holds = paint_time.p95_ms <= self.report.budget_ms
            timing = LookTiming(look.name, region_sizes(candidate), paint_time, holds=holds, chosen=False)
            tried.append((candidate, timing))
            if holds:
                break
        best = rules.select_scale([timing.time for _, timing in tried], self.report.budget_ms)
        self.report.looks += [replace(timing, chosen=index == best) for index, (_, timing) in enumerate(tried)]
        chosen, timing = tried[best]
        entry = autotune_choice.look_entry(chosen, fps=self._fps, holds=timing.holds, **asdict(timing.time))
        self._look_entries[look.name] = entry
        self._write()

    def _measure_engines(self, style: Style) -> None:
        """Time all usable backends of a style in alternation and select one."""
        name = engine_name(style)
        checks = list(
            check_engines(
                style,
                cache(partial(load_reference, style)),
                recheck=False,
                say=lambda line: self._say_progress(line.replace(style.name, name, 1)),
            )
        )
        self._say_progress(f"timing {name}")
        rejected = {check.backend.name: check.rejection for check in checks if check.rejection}
        usable = [check.backend for check in checks if not check.rejection]
        engines: dict[BackendThreads, Engine] = {}
        try:
            for backend in usable:
                try:
                    engines.update(_open_with_threads(style, backend))
                except (NotUsableError, ImportError, OSError, RuntimeError) as error:
                    rejected[backend.name] = first_line(error)
            _add_torch_cpu(style, engines, rejected)
            timings = self._time_engines(style, engines)
        finally:
            for engine in engines.values():
                engine.close()
        self.report.engines += [EngineTiming(name, backend, 0, None, why) for backend, why in rejected.items()]
        best = rules.select_backend(timings)
        for key, call_time in sorted(timings.items(), key=lambda item: item[1].median_ms):
            self.report.engines.append(EngineTiming(name, *key, call_time, rules.rejection_reason(timings, key, best)))
        self._engine_entries[name] = autotune_choice.engine_entry(style, rules.make_choice(timings, best))

    def _time_engines(self, style: Style, engines: dict[BackendThreads, Engine]) -> dict[BackendThreads, CallTime]:
        if not engines:
            raise NotUsableError(f"no runtime on this machine can run the style {style.name}")
        pictures = stills(style, most=1)
        region_bgr = pictures[0].crop_bgr[None] if pictures else probe_bgr(style.input_wh)
        with TrackerLoad(fps=self._fps):
            calls = {key: partial(engine.infer, region_bgr) for key, engine in engines.items()}
            times_ms = time_in_turns(calls, seconds=_ENGINE_S)
        return {key: summarise(durations_ms) for key, durations_ms in times_ms.items()}

    def _time_painting(self, look: Look) -> CallTime:
        """Time the look as `veneer run` paints it, with the selected engines."""
        look_loader = LookLoader({look.name: look}, runtime="auto", say=self._say)
        try:
            ready, painter = look_loader.load(look.name), Painter()
            durations_ms: list[float] = []
            with TrackerLoad(fps=self._fps, person=look.needs_person) as tracker:
                end_s = time.perf_counter() + _LOOK_S
                while len(durations_ms) < _MIN_FRAMES or time.perf_counter() < end_s:
                    frame_bgr, at_s = tracker.frame_bgr.copy(), len(durations_ms) / self._fps
                    started_s = time.perf_counter()
                    painter.paint(frame_bgr, tracker.faces, ready, 1.0, at_s=at_s, person=tracker.mask)
                    durations_ms.append((time.perf_counter() - started_s) * 1e3)
            return summarise(durations_ms[_BURN_IN_FRAMES:])
        finally:
            look_loader.close()

    def _write(self) -> None:
        self.report.file = autotune_choice.write(self._engine_entries, self._look_entries)


def has_network(look: Look) -> bool:
    """Return whether a layer of the look is a trained style."""
    return any(isinstance(layer.style, Style) for layer in look.layers)


def merge_common_rows(rows: Sequence[EngineTiming]) -> list[EngineTiming]:
    """Replace rows that reject a backend of every engine for the same reason by one row without an engine, first."""
    engines = {row.engine for row in rows}
    counts = Counter((row.backend, row.rejected) for row in rows if row.time is None)
    common = [key for key, count in counts.items() if count == len(engines) > 1]
    specific = [row for row in rows if row.time is not None or (row.backend, row.rejected) not in common]
    return [EngineTiming("", backend, 0, None, why) for backend, why in common] + specific


def _open_with_threads(style: Style, backend: Backend) -> Iterator[tuple[BackendThreads, Engine]]:
    cores = min(_MAX_THREADS, os.cpu_count() or 1)
    is_small = style.size_wh[0] * style.size_wh[1] < _SMALL_REGION_PX
    max_threads = min(_MAX_THREADS_SMALL, cores) if is_small else cores
    if not backend.threaded:
        yield (backend.name, 0), backend.open()
        return
    for threads in range(1, max_threads + 1):
        yield (backend.name, threads), backend.open(threads=threads)


def _add_torch_cpu(style: Style, engines: dict[BackendThreads, Engine], rejected: dict[str, str]) -> None:
    try:
        engines[f"torch fp32 {ON_CPU}", 0] = open_torch_cpu(style)
    except ModuleNotFoundError:
        rejected[f"torch fp32 {ON_CPU}"] = "PyTorch is not installed"
