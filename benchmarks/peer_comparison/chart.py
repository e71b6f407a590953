"""Bar chart of `benchmarks.peers`: a bar for each network in each runtime."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.machine_info import three_digits
from benchmarks.common.plots import new_figure, save_figure

_BAR_IN = 0.18
_COLOURS = ("#969696", "#3c96c8", "#145ac8", "#0a2878", "#78be5a", "#1e8228", "#c83c3c")  # in the order of the runtimes


def draw(path: Path, bars: Sequence[tuple[str, str, float]]) -> None:
    """Write a PNG chart of at least one bar: network, runtime, and median in milliseconds on a logarithmic scale."""
    nets, runtimes = list(dict.fromkeys(bar[0] for bar in bars)), list(dict.fromkeys(bar[1] for bar in bars))
    height = 0.8 / len(runtimes)
    figure = new_figure(10, 1 + _BAR_IN * len(nets) * (len(runtimes) + 1))
    axes = figure.subplots()
    for number, runtime in enumerate(runtimes):
        own = [(nets.index(net) + number * height, ms) for net, name, ms in bars if name == runtime]
        drawn = axes.barh([y for y, _ in own], [ms for _, ms in own], 0.9 * height, color=_COLOURS[number])
        axes.bar_label(drawn, fmt=lambda ms: f" {three_digits(ms)}", fontsize=8)
        drawn.set_label(runtime)
    axes.set_xscale("log")
    axes.set_xlim(left=10.0 ** math.floor(math.log10(min(bar[2] for bar in bars))))
    axes.set_xlabel("median ms per call")
    axes.set_yticks(range(len(nets)), nets)
    axes.invert_yaxis()
    figure.legend(loc="outside upper left", ncols=len(runtimes), fontsize=8)
    save_figure(path, figure)
