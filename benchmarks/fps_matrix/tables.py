"""The results of `benchmarks.fps` for a person: two tables, and lines on what they do not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.common.machine_info import table
from benchmarks.fps_matrix.plan import AUTO
from live.pipeline.timing import STAGES

Run = Mapping[str, Any]


def rates(runs: Sequence[Run]) -> str:
    """How fast each configuration is, what that takes, and how it does at a camera's pace."""
    names = ["", "look", "size", "faces", "found", "engine", "fps", "x tracker", "latency ms", "dropped", "CPU %"]
    names += ["GPU %", "GPU MB"] if _on_gpu(runs) else []
    names += ["MB", "|", "at 30: fps", "latency ms", "dropped", "CPU %"]
    return table(names, [_rate_row(number, run, gpu=_on_gpu(runs)) for number, run in enumerate(runs, 1)])


def _rate_row(number: int, run: Run, *, gpu: bool) -> list[object]:
    fast = [f"{run['fps']:.1f}", float(run["ratio"]), _three(run["latency_ms"]), run["dropped"]]
    return [
        *(number, run["look"], run["size"], run["faces"], float(run["faces_a_frame"]), engine_of(run), *fast),
        *_use(run, gpu=gpu),
        *(f"{run['resident_mb']:.0f}", "|", *_live_cells(run["live"])),
    ]


def engine_of(run: Run) -> str:
    """What ran, and whether the program chose it by itself."""
    chosen = run["way"] == AUTO and bool(run["engines"])
    return f"{AUTO}: {run['engine']}" if chosen else str(run["engine"])


def _use(run: Run, *, gpu: bool) -> list[object]:
    """Percent of one core, and of the GPU where some configuration had one."""
    cells: list[object] = [f"{run['cpu_percent']:.0f}"]
    if gpu:
        told = run["gpu"]
        cells += [f"{told['busy_percent']:.0f}", f"{told['memory_mb']:.0f}"] if told else ["-", "-"]
    return cells


def _live_cells(live: Run | None) -> list[object]:
    if live is None or "failed" in live:
        return ["-"] * 4
    of = live["dropped"] + live["frames_out"]
    dropped = f"{live['dropped']} of {of}"
    return [f"{live['fps']:.1f}", _three(live["latency_ms"]), dropped, f"{live['cpu_percent']:.0f}"]


def _three(summary: Mapping[str, float], digits: int = 1) -> str:
    """As in "6.0/10.1/14.2"."""
    return "/".join(f"{summary[name]:.{digits}f}" for name in ("p50", "p95", "p99"))


def _on_gpu(runs: Sequence[Run]) -> bool:
    return any(run["gpu"] for run in runs)


def stages(runs: Sequence[Run]) -> str:
    """Where a frame's time goes at full speed, in milliseconds."""
    names = ["", "look", "size", "faces", "engine", "wait", *STAGES, "painting"]
    rows = []
    for number, run in enumerate(runs, 1):
        parts = [_three(run["stages_ms"][name], digits=2) for name in STAGES]
        begin = [number, run["look"], run["size"], run["faces"], engine_of(run)]
        rows.append([*begin, float(run["wait_ms"]), *parts, float(run["painting_ms"])])
    return table(names, rows)


LEGEND = """\
found: faces found a frame (the demo walks out of the picture for a ninth of the time). x tracker: fps over that of the
tracker alone on the same film, measured before and after. latency: p50/p95/p99, from a picture complete in memory to
the sink's return. At full speed every frame waits for its turn and none is dropped; "at 30": as a camera of 30 frames
a second feeds it, where the newest frame wins and what is late is dropped. CPU %: of one core, with the drawing of the
film. MB: the most memory that the process held, with this look alone."""
STAGES_LEGEND = """\
Stages at full speed: p50/p95/p99 in ms; wait: the part of the median latency in no stage, behind the frame before;
painting: region + generate + composite, medians."""


def notes(runs: Sequence[Run]) -> list[str]:
    """What a reader of the tables must know of single rows."""
    strayed = [f"row {number}: {run['strayed']}" for number, run in enumerate(runs, 1) if run["strayed"]]
    live = [(number, run["live"]) for number, run in enumerate(runs, 1)]
    stopped = [
        f"row {number}, at a camera's pace: {found['failed']}" for number, found in live if found and "failed" in found
    ]
    cut = [str(number) for number, run in enumerate(runs, 1) if run["cut"]]
    lines = [f"fewer frames, for they were too slow for the time: row{'s' * (len(cut) > 1)} {', '.join(cut)}"]
    return [*strayed, *stopped, *(lines if cut else [])]


def missing(left_out: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line for each reason why configurations were not measured, naming them."""
    reasons: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for one in left_out:
        reasons.setdefault((one["outcome"], one["why"]), []).append(one)
    lines = []
    for (outcome, why), ones in reasons.items():
        ways, looks = (", ".join(dict.fromkeys(one[name] for one in ones)) for name in ("way", "look"))
        where = ", ".join(dict.fromkeys(f"{one['size']} x{one['faces']}" for one in ones))
        lines.append(f"{outcome}: {ways} for {looks} ({where}): {why}")
    return lines
