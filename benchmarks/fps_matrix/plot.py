"""The picture of `benchmarks.fps`: a bar for each configuration, of where its frame's time goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fps_matrix.plan import WAYS
from benchmarks.fps_matrix.tables import engine_of
from live.pipeline.timing import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Run = Mapping[str, Any]
Panel = tuple[str, list[tuple[str, Run]]]  # a title, and labelled runs

_WAYS = tuple(way.name for way in WAYS)
_PARTS = (*STAGES, "wait")
COLOURS = {  # Okabe and Ito's, told apart by every kind of eye; grey for what nobody works on
    "track": "#0072b2",
    "region": "#56b4e9",
    "generate": "#e69f00",
    "composite": "#009e73",
    "send": "#cc79a7",
    "wait": "#d9d9d9",
}
_ROW_IN, _PANEL_IN, _HEAD_IN, _WIDTH_IN = 0.27, 0.75, 1.3, 10.5
_TITLE = "Where a frame's time goes, from the picture to the sink"
_INK, _FAINT = "#222222", "#777777"


def panels(runs: Sequence[Run]) -> list[Panel]:
    """Runs that a reader wants side by side: the looks under the same conditions, and each look under several.

    Each panel has a scale of its own, so that a slow look does not press the others flat.
    """
    if not runs:
        return []
    usual, _ = Counter((run["size"], run["faces"], run["way"]) for run in runs).most_common(1)[0]
    alike = [run for run in runs if (run["size"], run["faces"], run["way"]) == usual]
    found: list[Panel] = []
    if len({run["look"] for run in alike}) > 1:
        title = f"{usual[0]}, {_faces(usual[1])}, {usual[2]}"
        found.append((title, [(f"{run['look']}, {engine_of(run)}", run) for run in alike]))
    for look in dict.fromkeys(run["look"] for run in runs):
        own = sorted((run for run in runs if run["look"] == look), key=_order)
        if len(own) > 1 or not found or own[0] not in alike:
            found.append((look, [(f"{run['size']}, {_faces(run['faces'])}, {engine_of(run)}", run) for run in own]))
    return found


def _order(run: Run) -> tuple[int, int, int]:
    """By engine, then by faces, then by size."""
    width, height = run["size"].split("x")
    return _WAYS.index(run["way"]), run["faces"], int(width) * int(height)


def _faces(count: int) -> str:
    return f"{count} face{'s' if count > 1 else ''}"


def draw(path: Path, runs: Sequence[Run], about: Sequence[str]) -> None:
    """Write the PNG.

    Args:
        path: where to.
        runs: at least one.
        about: lines on the machine.

    Raises:
        ImportError: Matplotlib is not installed.
        OSError: the disk does not take it.
    """
    from matplotlib.figure import Figure  # one of mediapipe's own needs

    wanted = panels(runs)
    heights = [_PANEL_IN + _ROW_IN * len(rows) for _, rows in wanted]
    figure = Figure(figsize=(_WIDTH_IN, _HEAD_IN + sum(heights)), layout="constrained", facecolor="white")
    axes = figure.subplots(len(wanted), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (title, rows) in zip(axes, wanted, strict=True):
        _panel(panel, title, rows)
    handles, names = axes[0].get_legend_handles_labels()
    legend = figure.legend(handles, names, loc="outside upper left", ncols=len(names), frameon=False, fontsize=9,
                           title=_TITLE, title_fontsize=13, alignment="left")  # fmt: skip
    legend.get_title().set_color(_INK)
    axes[-1].set_xlabel("ms a frame, medians, at full speed", fontsize=8, color=_FAINT)
    figure.supxlabel("\n".join(about), x=0.01, ha="left", fontsize=8, color=_FAINT)
    aside = path.with_name(path.name + ".part")
    try:
        figure.savefig(aside, dpi=120, format="png")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def _panel(panel: Axes, title: str, rows: Sequence[tuple[str, Run]]) -> None:
    left = [0.0] * len(rows)
    for part in _PARTS:
        widths = [_part_ms(run, part) for _, run in rows]
        panel.barh(range(len(rows)), widths, left=left, height=0.72, color=COLOURS[part], label=part)
        left = [begin + width for begin, width in zip(left, widths, strict=True)]
    for number, (end, (_, run)) in enumerate(zip(left, rows, strict=True)):
        told = f" {end:.1f} ms, {run['fps']:.0f} fps"
        panel.text(end, number, told, va="center", ha="left", fontsize=8, color=_INK)
    panel.set_xlim(0, 1.16 * max(left))  # room for the words behind the longest bar
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=8, color=_INK)
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold", color=_INK)
    panel.tick_params(axis="x", labelsize=8, colors=_FAINT)
    panel.tick_params(axis="y", length=0)
    panel.grid(axis="x", color="#eeeeee")
    panel.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        panel.spines[side].set_visible(False)


def _part_ms(run: Run, part: str) -> float:
    return float(run["wait_ms"] if part == "wait" else run["stages_ms"][part]["p50"])
