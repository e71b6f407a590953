"""Results of `benchmarks.fps` as text: two tables and notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.common.machine_info import table
from benchmarks.fps_matrix.plan import AUTO
from live.pipeline.timing import STAGES

Run = Mapping[str, Any]

RATES_LEGEND = """\
found: mean number of faces found per frame (the demo has no face in a ninth of the frames). x tracker: frame rate
relative to the tracker alone on the same footage, measured before and after. latency: p50/p95/p99, from the complete
frame in memory to the return of the sink. At full speed no frame is dropped; "at 30": 30 frames per second as from a
camera, where late frames are dropped. CPU %: of one core, including the generation of the footage. MB: maximum resident
memory of the process."""
STAGES_LEGEND = """\
Stages at full speed: p50/p95/p99 in ms; wait: median latency minus all stages, the time behind the previous frame;
painting: sum of the medians of region, generate and composite."""


def rates(runs: Sequence[Run]) -> str:
    """Return the table of frame rates, latency and resource use."""
    has_gpu = any(run["gpu"] for run in runs)
    names = ["", "look", "size", "faces", "found", "engine", "fps", "x tracker", "latency ms", "dropped", "CPU %"]
    names += ["GPU %", "GPU MB"] if has_gpu else []
    names += ["MB", "|", "at 30: fps", "latency ms", "dropped", "CPU %"]
    rows: list[list[object]] = []
    for number, run in enumerate(runs, 1):
        row = [number, run["look"], run["size"], run["faces"], float(run["faces_a_frame"]), engine_text(run)]
        row += [f"{run['fps']:.1f}", float(run["ratio"]), _percentiles(run["latency_ms"]), run["dropped"]]
        row += [f"{run['cpu_percent']:.0f}"]
        if has_gpu:
            gpu = run["gpu"]
            row += [f"{gpu['busy_percent']:.0f}", f"{gpu['memory_mb']:.0f}"] if gpu else ["-", "-"]
        rows.append([*row, f"{run['resident_mb']:.0f}", "|", *_live_cells(run["live"])])
    return table(names, rows)


def engine_text(run: Run) -> str:
    """Return the backend of a run, marked if the program selected it."""
    is_auto = run["backend"] == AUTO and bool(run["engines"])
    return f"{AUTO}: {run['engine']}" if is_auto else str(run["engine"])


def _live_cells(live: Run | None) -> list[object]:
    if live is None or "failed" in live:
        return ["-"] * 4
    dropped = f"{live['dropped']} of {live['dropped'] + live['frames_out']}"
    return [f"{live['fps']:.1f}", _percentiles(live["latency_ms"]), dropped, f"{live['cpu_percent']:.0f}"]


def _percentiles(summary: Mapping[str, float], digits: int = 1) -> str:
    """As in "6.0/10.1/14.2"."""
    return "/".join(f"{summary[name]:.{digits}f}" for name in ("p50", "p95", "p99"))


def stages(runs: Sequence[Run]) -> str:
    """Return the table of the time in each stage at full speed, in milliseconds."""
    names = ["", "look", "size", "faces", "engine", "wait", *STAGES, "painting"]
    rows = []
    for number, run in enumerate(runs, 1):
        parts = [_percentiles(run["stages_ms"][name], digits=2) for name in STAGES]
        begin = [number, run["look"], run["size"], run["faces"], engine_text(run)]
        rows.append([*begin, float(run["wait_ms"]), *parts, float(run["painting_ms"])])
    return table(names, rows)


def notes(runs: Sequence[Run]) -> list[str]:
    """Return remarks on single rows: fallbacks, failures at the camera's rate, and shortened measurements."""
    numbered = list(enumerate(runs, 1))
    lines = [f"row {number}: {run['fallback']}" for number, run in numbered if run["fallback"]]
    for number, run in numbered:
        if run["live"] and "failed" in run["live"]:
            lines.append(f"row {number}, at 30 frames per second: {run['live']['failed']}")
    cut = [str(number) for number, run in numbered if run["cut"]]
    if cut:
        lines.append(f"fewer frames because of the time limit: row{'s' * (len(cut) > 1)} {', '.join(cut)}")
    return lines


def missing(left_out: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line for each reason why configurations were not measured."""
    by_reason: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for case in left_out:
        by_reason.setdefault((case["outcome"], case["reason"]), []).append(case)
    lines = []
    for (outcome, reason), cases in by_reason.items():
        backends, looks = (", ".join(dict.fromkeys(case[name] for case in cases)) for name in ("backend", "look"))
        where = ", ".join(dict.fromkeys(f"{case['size']} x{case['faces']}" for case in cases))
        lines.append(f"{outcome}: {backends} for {looks} ({where}): {reason}")
    return lines
