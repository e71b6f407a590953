"""What this machine can do: every runtime, precision and number of threads timed, and the best chosen for each look."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache as remembered
from functools import partial
from pathlib import Path
from typing import Any

from calibration.autotune.autotune_rules import ON_CPU, best_size, choice_of, chosen_of, scaled, sizes, why_not
from calibration.autotune.engine_timing import Beside, Timed, summed, timed
from calibration.engine_checks.verdicts import Judged, Way, judge_style, reference_of
from calibration.sets.set_pictures import stills
from engines.looks import Look
from engines.runtime import autotune_choice
from engines.runtime.autotune_choice import engine_name
from engines.runtime.base import Engine, NotUsableError
from engines.runtime.probe import probe_bgr
from engines.runtime.torch.reference_engine import TorchEngine
from engines.styles import Style
from engines.text import first_line
from live.render.look_loader import LookLoader
from live.render.painter import Painter

BUDGET_SHARE = 0.8  # of the time between two frames, for painting one
SCALES = (1.0, 0.75, 0.5)  # of a region's sides; smaller ones only where the larger do not fit
_SECONDS, _LOOK_SECONDS = 0.5, 1.0  # for each engine, each look
_LEAST_FRAMES, _BURN_IN = 30, 10
_LIPS_PIXELS = 10_000
_MOST_THREADS = 4


@dataclass(frozen=True, slots=True)
class Row:
    """One way to run one style at one size, and what became of it.

    Attributes:
        engine: "toon 256x256"; empty where it is the same for all that were measured.
        time: None where it was not timed.
        turned_down: why it was not chosen; empty for the chosen one.
    """

    engine: str
    way: str
    threads: int
    time: Timed | None
    turned_down: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LookRow:
    """One look at one scale of its regions: the time to paint a frame of one face beside the tracker.

    Attributes:
        sizes: of its regions.
        holds: whether 95 of 100 frames are painted within the budget.
        chosen: whether live takes it so.
    """

    look: str
    sizes: str
    time: Timed
    holds: bool
    chosen: bool

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(slots=True)
class MachineReport:
    """All that was measured, and what was chosen of it.

    Attributes:
        budget_ms: what painting a frame may take.
        rows: of the engines.
        looks: of the looks.
        file: where the choice was written.
    """

    fps: float
    budget_ms: float
    rows: list[Row] = field(default_factory=list)
    looks: list[LookRow] = field(default_factory=list)
    file: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {"machine": autotune_choice.fingerprint(), "fps": self.fps, "budget_ms": self.budget_ms}
        found |= {"engines": [row.as_dict() for row in self.rows], "looks": [row.as_dict() for row in self.looks]}
        return {**found, "file": str(self.file)}


class MachineTimer:
    """Measures one look after the other; what several looks share is measured once.

    Args:
        fps: frames a second that the looks have to keep up with.
        say: told what happens, a line at a time.
    """

    def __init__(self, *, fps: float, say: Callable[[str], None]) -> None:
        self.report = MachineReport(fps, round(BUDGET_SHARE * 1000 / fps, 3))
        self._fps, self._say, self._where = fps, say, ""
        self._engines: dict[str, dict[str, Any]] = {}
        self._looks: dict[str, dict[str, Any]] = {}

    def measure(self, looks: Iterable[Look]) -> MachineReport:
        """Time, choose, and write the choice; looks without a network are passed over.

        Raises:
            EngineError: weights are not usable, or a verdict or the choice cannot be written.
            TrackingError: no face model.
        """
        wanted = [look for look in looks if has_network(look)]
        for number, look in enumerate(wanted, 1):
            self._where = f"look {look.name}, {number} of {len(wanted)}: "
            self._measure(look)
        self.report.rows = without_repeats(self.report.rows)
        return self.report

    def _tell(self, line: str) -> None:
        self._say(f"{self._where}{line}")

    def _measure(self, look: Look) -> None:
        tried: list[tuple[Look, LookRow]] = []
        for scale in SCALES:
            smaller = scaled(look, scale)
            if tried and sizes(smaller) == sizes(tried[-1][0]):
                continue  # lips stay as they are
            for layer in smaller.layers:
                if isinstance(layer.style, Style) and engine_name(layer.style) not in self._engines:
                    self._engine(layer.style)
            self._write()
            self._tell(f"painting at {sizes(smaller)}")
            took = self._painting(smaller)
            holds = took.p95_ms <= self.report.budget_ms
            tried.append((smaller, LookRow(look.name, sizes(smaller), took, holds=holds, chosen=False)))
            if tried[-1][1].holds:
                break
        best = best_size([row.time for _, row in tried], self.report.budget_ms)
        chosen, row = tried[best]
        self.report.looks += [replace(one, chosen=index == best) for index, (_, one) in enumerate(tried)]
        self._looks[look.name] = autotune_choice.look_entry(chosen, fps=self._fps, holds=row.holds, **asdict(row.time))
        self._write()

    def _engine(self, style: Style) -> None:
        """Time a style's engines in turns, and choose."""
        name = engine_name(style)
        reference = remembered(partial(reference_of, style))

        def told(line: str) -> None:
            self._tell(line.replace(style.name, name, 1))

        judged = list(judge_style(style, reference, again=False, say=told))
        self._tell(f"timing {name}")
        refused = {one.way.name: why for one in judged if (why := _not_timed(one))}
        opened: dict[tuple[str, int], Engine] = {}
        pictures = stills(style, most=1)
        region_bgr = pictures[0].crop_bgr[None] if pictures else probe_bgr(style.size_wh)
        try:
            for way in (one.way for one in judged if one.way.name not in refused):
                try:
                    opened.update(_opened(style, way))
                except (NotUsableError, ImportError, OSError, RuntimeError) as error:
                    refused[way.name] = first_line(error)
            opened[f"torch fp32 {ON_CPU}", 0] = TorchEngine(style, why="")
            with Beside(fps=self._fps):
                calls = {key: partial(engine.infer, region_bgr) for key, engine in opened.items()}
                found = timed(calls, seconds=_SECONDS)
        finally:
            for engine in opened.values():
                engine.close()
        best = chosen_of(found)
        self.report.rows += [Row(name, way, 0, None, why) for way, why in refused.items()]
        for key, took in sorted(found.items(), key=lambda item: item[1].median_ms):
            self.report.rows.append(Row(name, *key, took, why_not(found, key, best)))
        self._engines[name] = autotune_choice.engine_entry(style, choice_of(found, best))

    def _painting(self, look: Look) -> Timed:
        """The look as live paints it, with the engines as chosen."""
        look_loader = LookLoader({look.name: look}, runtime="auto", say=self._say)
        try:
            ready, painter = look_loader.load(look.name), Painter()
            took_ms: list[float] = []
            with Beside(fps=self._fps, person=look.wants_person) as beside:
                end_s = time.perf_counter() + _LOOK_SECONDS
                while len(took_ms) < _LEAST_FRAMES or time.perf_counter() < end_s:
                    bgr, at_s = beside.bgr.copy(), len(took_ms) / self._fps
                    started_s = time.perf_counter()
                    painter.paint(bgr, beside.faces, ready, 1.0, at_s=at_s, person=beside.mask)
                    took_ms.append((time.perf_counter() - started_s) * 1e3)
            return summed(took_ms[_BURN_IN:])
        finally:
            look_loader.close()

    def _write(self) -> None:
        self.report.file = autotune_choice.write(self._engines, self._looks)


def has_network(look: Look) -> bool:
    """Whether there is an engine in it that could be timed."""
    return any(isinstance(layer.style, Style) for layer in look.layers)


def without_repeats(rows: Sequence[Row]) -> list[Row]:
    """What no engine can have, and why, once and first, instead of once for each engine."""
    engines = {row.engine for row in rows}
    count = Counter((row.way, row.turned_down) for row in rows if row.time is None)
    everywhere = [about for about, times in count.items() if times == len(engines) > 1]
    rest = [row for row in rows if row.time is not None or (row.way, row.turned_down) not in everywhere]
    return [Row("", way, 0, None, why) for way, why in everywhere] + rest


def _not_timed(judged: Judged) -> str:
    """Why a way is not even timed; nothing where it is."""
    if judged.judgement is None:
        return judged.refused
    return "" if judged.judgement.passed else f"calibration failed: {judged.judgement.because}"


def _opened(style: Style, way: Way) -> Iterator[tuple[tuple[str, int], Engine]]:
    """On every number of threads that may pay."""
    cores = min(_MOST_THREADS, os.cpu_count() or 1)
    most = min(2, cores) if style.size_wh[0] * style.size_wh[1] < _LIPS_PIXELS else cores
    for threads in range(1, most + 1) if way.threaded else (0,):
        yield (way.name, threads), way.open(threads or None)
