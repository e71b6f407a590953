"""What is chosen for a machine, of what was timed on it: a runtime, a precision, threads, and the size of regions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from calibration.autotune.engine_timing import Timed
from engines.looks import Look
from engines.runtime.autotune_choice import EngineChoice
from engines.styles import Style

ON_CPU = "on the CPU"
_ALIKE = 1.05  # what is no more than so many times slower counts as alike
_WORTH = 1.15  # a smaller region that does not keep up either must be so many times faster to be chosen
_CAREFUL = ("fp32", "bf16", "fp16", "int8")  # of two that are alike, the earlier
_GRID_PX = 32  # regions stay multiples of it: every generator takes them
_ALL_CORES = 4  # what names no threads counts as so many

Timings = Mapping[tuple[str, int], Timed]  # by way and threads


def chosen_of(found: Timings) -> tuple[str, int]:
    """The fastest by the median; of those that are alike, the one on the fewest threads, then the most precise."""
    fastest = min(time.median_ms for time in found.values())
    alike = [key for key, time in found.items() if time.median_ms <= _ALIKE * fastest]
    return min(alike, key=lambda key: (key[1] or _ALL_CORES, _CAREFUL.index(key[0].split()[1])))


def why_not(found: Timings, key: tuple[str, int], best: tuple[str, int]) -> str:
    """Why a way is not the chosen one; nothing for that one itself."""
    if key == best:
        return ""
    times = found[key].median_ms / found[best].median_ms
    if found[key].median_ms > _ALIKE * min(time.median_ms for time in found.values()):
        return f"{times:.2f} times the time of the chosen"
    more = (key[1] or _ALL_CORES) > (best[1] or _ALL_CORES)
    return f"as fast as the chosen, but {'on more threads' if more else 'less precise'}"


def choice_of(found: Timings, best: tuple[str, int]) -> EngineChoice:
    """The choice as live reads it, with the other ways at their best number of threads."""
    way, threads = best
    runtime, precision = way.split()[:2]
    on_gpu = runtime != "openvino" and not way.endswith(ON_CPU)
    fastest: dict[str, float] = {}
    for (other, _), took in found.items():
        if other != way:
            fastest[other] = min(took.median_ms, fastest.get(other, took.median_ms))
    others = tuple(f"{other} {ms:.2f} ms" for other, ms in sorted(fastest.items(), key=lambda one: one[1]))
    return EngineChoice(runtime, precision, threads, found[best].median_ms, found[best].p95_ms, on_gpu, others)


def best_size(took: Sequence[Timed], budget_ms: float) -> int:
    """The first that holds; where none does, the largest that is as fast as any: smaller ones must be worth it.

    Args:
        took: painting a frame, by size, the largest first.
        budget_ms: what it may take.
    """
    for index, one in enumerate(took):
        if one.p95_ms <= budget_ms:
            return index
    fastest = min(one.p95_ms for one in took)
    return next(index for index, one in enumerate(took) if one.p95_ms <= _WORTH * fastest)


def scaled(look: Look, scale: float) -> Look:
    """The look with smaller regions, but for lips: their network knows mouths of one size only."""
    layers = tuple(
        replace(layer, style=_smaller(layer.style, scale)) if isinstance(layer.style, Style) else layer
        for layer in look.layers
    )
    return replace(look, layers=layers)


def _smaller(style: Style, scale: float) -> Style:
    if style.region == "lips" or scale == 1.0:
        return style
    width, height = (max(2 * _GRID_PX, round(side * scale / _GRID_PX) * _GRID_PX) for side in style.size_wh)
    return replace(style, size_wh=(min(width, style.size_wh[0]), min(height, style.size_wh[1])))


def sizes(look: Look) -> str:
    """The sizes of a look's regions: "448x256, 256x256"."""
    return ", ".join("{}x{}".format(*layer.style.size_wh) for layer in look.layers if isinstance(layer.style, Style))
