"""Chart of `benchmarks.fps`: one bar per configuration with the time of each stage."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.common.plots import new_figure, save_figure
from benchmarks.fps_matrix.plan import BACKENDS
from benchmarks.fps_matrix.tables import engine_text
from live.pipeline.timing import STAGES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Run = Mapping[str, Any]
Panel = tuple[str, list[tuple[str, Run]]]  # title, and labelled runs

COLOURS = {  # the colour-blind safe palette of Okabe and Ito; grey for waiting
    "track": "#0072b2",
    "region": "#56b4e9",
    "generate": "#e69f00",
    "composite": "#009e73",
    "send": "#cc79a7",
    "wait": "#d9d9d9",
}
_ROW_IN, _PANEL_IN, _HEAD_IN, _WIDTH_IN = 0.27, 0.75, 1.3, 10.5
_TITLE = "Time per frame from capture to sink"
_DARK, _LIGHT = "#222222", "#777777"


def panels(runs: Sequence[Run]) -> list[Panel]:
    """Group the runs: all looks under the most common conditions, and each look under several conditions.

    Each panel has its own scale.
    """
    if not runs:
        return []
    usual, _ = Counter((run["size"], run["faces"], run["backend"]) for run in runs).most_common(1)[0]
    alike = [run for run in runs if (run["size"], run["faces"], run["backend"]) == usual]
    found: list[Panel] = []
    if len({run["look"] for run in alike}) > 1:
        title = f"{usual[0]}, {_faces(usual[1])}, {usual[2]}"
        found.append((title, [(f"{run['look']}, {engine_text(run)}", run) for run in alike]))
    for look in dict.fromkeys(run["look"] for run in runs):
        own = sorted((run for run in runs if run["look"] == look), key=_order)
        if len(own) > 1 or not found or own[0] not in alike:
            found.append((look, [(f"{run['size']}, {_faces(run['faces'])}, {engine_text(run)}", run) for run in own]))
    return found


def _order(run: Run) -> tuple[int, int, int]:
    """By backend, then by faces, then by size."""
    width, height = run["size"].split("x")
    return BACKENDS.index(run["backend"]), run["faces"], int(width) * int(height)


def _faces(count: int) -> str:
    return f"{count} face{'s' if count > 1 else ''}"


def draw(path: Path, runs: Sequence[Run], about: Sequence[str]) -> None:
    """Write the chart of at least one run as PNG, with lines on the machine. Raises ImportError or OSError."""
    grouped = panels(runs)
    heights = [_PANEL_IN + _ROW_IN * len(rows) for _, rows in grouped]
    figure = new_figure(_WIDTH_IN, _HEAD_IN + sum(heights))
    axes = figure.subplots(len(grouped), 1, squeeze=False, height_ratios=heights)[:, 0]
    for panel, (title, rows) in zip(axes, grouped, strict=True):
        _draw_panel(panel, title, rows)
    handles, names = axes[0].get_legend_handles_labels()
    style: dict[str, Any] = {"frameon": False, "fontsize": 9, "title_fontsize": 13, "alignment": "left"}
    legend = figure.legend(handles, names, loc="outside upper left", ncols=len(names), title=_TITLE, **style)
    legend.get_title().set_color(_DARK)
    axes[-1].set_xlabel("ms per frame, medians at full speed", fontsize=8, color=_LIGHT)
    figure.supxlabel("\n".join(about), x=0.01, ha="left", fontsize=8, color=_LIGHT)
    save_figure(path, figure)


def _draw_panel(panel: Axes, title: str, rows: Sequence[tuple[str, Run]]) -> None:
    ends = [0.0] * len(rows)
    for stage in (*STAGES, "wait"):
        widths = [run["wait_ms"] if stage == "wait" else run["stages_ms"][stage]["p50"] for _, run in rows]
        panel.barh(range(len(rows)), widths, left=ends, height=0.72, color=COLOURS[stage], label=stage)
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    for number, (end, (_, run)) in enumerate(zip(ends, rows, strict=True)):
        text = f" {end:.1f} ms, {run['fps']:.0f} fps"
        panel.text(end, number, text, va="center", ha="left", fontsize=8, color=_DARK)
    panel.set_xlim(0, 1.16 * max(ends))  # room for the text after the longest bar
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set_yticks(range(len(rows)), [label for label, _ in rows], fontsize=8, color=_DARK)
    panel.set_title(title, loc="left", fontsize=10, fontweight="bold", color=_DARK)
    panel.tick_params(axis="x", labelsize=8, colors=_LIGHT)
    panel.grid(axis="x", color="#eeeeee")
    panel.set_axisbelow(True)
    panel.set_frame_on(False)
