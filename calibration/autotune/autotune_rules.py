"""Selection rules of the autotuner: backend, number of CPU threads and region size from measured times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engines.looks import Look
from engines.runtime.autotune_choice import EngineChoice
from engines.runtime.call_times import CallTime
from engines.styles import Style

ON_CPU = "on the CPU"  # distinguishes PyTorch on the CPU from PyTorch on the GPU in backend names
_EQUAL_RATIO = 1.05  # times up to this ratio count as equal
_MIN_SPEEDUP = 1.15  # a smaller region that still misses the budget must be faster by this factor
_PRECISIONS = ("fp32", "bf16", "fp16", "int8")  # the most precise first
_GRID_PX = 32  # region sides are multiples of this, which every generator accepts
_DEFAULT_THREADS = 4  # assumed for backends without a thread setting

BackendThreads = tuple[str, int]  # backend name and number of CPU threads, 0 if not applicable
Timings = Mapping[BackendThreads, CallTime]


def select_backend(timings: Timings) -> BackendThreads:
    """Select the fastest by median; among equal ones the fewest threads, then the most precise."""
    fastest_ms = min(time.median_ms for time in timings.values())
    equal = [key for key, time in timings.items() if time.median_ms <= _EQUAL_RATIO * fastest_ms]
    return min(equal, key=lambda key: (key[1] or _DEFAULT_THREADS, _PRECISIONS.index(key[0].split()[1])))


def rejection_reason(timings: Timings, key: BackendThreads, selected: BackendThreads) -> str:
    """Return why a backend was not selected; empty for the selected one."""
    if key == selected:
        return ""
    if timings[key].median_ms > _EQUAL_RATIO * min(time.median_ms for time in timings.values()):
        return f"{timings[key].median_ms / timings[selected].median_ms:.2f} times as slow as the selected backend"
    more = (key[1] or _DEFAULT_THREADS) > (selected[1] or _DEFAULT_THREADS)
    return f"as fast as the selected backend, but {'uses more threads' if more else 'less precise'}"


def make_choice(timings: Timings, selected: BackendThreads) -> EngineChoice:
    """Build the stored choice; it lists each other backend once, with its best number of threads."""
    backend, threads = selected
    runtime, precision = backend.split()[:2]
    on_gpu = runtime != "openvino" and not backend.endswith(ON_CPU)
    best_ms: dict[str, float] = {}
    for (other, _), time in timings.items():
        if other != backend:
            best_ms[other] = min(time.median_ms, best_ms.get(other, time.median_ms))
    rejected = tuple(f"{other} {ms:.2f} ms" for other, ms in sorted(best_ms.items(), key=lambda item: item[1]))
    return EngineChoice(
        runtime, precision, threads, timings[selected].median_ms, timings[selected].p95_ms, on_gpu, rejected
    )


def select_scale(times: Sequence[CallTime], budget_ms: float) -> int:
    """Return the index of the first scale whose 95th percentile is within the budget; the largest size comes first.

    If none is, return the largest scale whose time is close to the minimum.
    """
    for index, time in enumerate(times):
        if time.p95_ms <= budget_ms:
            return index
    fastest_ms = min(time.p95_ms for time in times)
    return next(index for index, time in enumerate(times) if time.p95_ms <= _MIN_SPEEDUP * fastest_ms)


def scale_look(look: Look, scale: float) -> Look:
    """Return the look with smaller regions. Lips keep their size: their generator is trained for one size only."""
    layers = tuple(
        replace(layer, style=_scale_style(layer.style, scale)) if isinstance(layer.style, Style) else layer
        for layer in look.layers
    )
    return replace(look, layers=layers)


def _scale_style(style: Style, scale: float) -> Style:
    if style.region == "lips" or style.swaps or scale == 1.0 or style.graph is not None:
        return style
    width, height = (max(2 * _GRID_PX, round(side * scale / _GRID_PX) * _GRID_PX) for side in style.size_wh)
    return replace(style, size_wh=(min(width, style.size_wh[0]), min(height, style.size_wh[1])))


def region_sizes(look: Look) -> str:
    """Return the sizes of the network regions of a look, such as "448x256, 256x256"."""
    return ", ".join("{}x{}".format(*layer.style.size_wh) for layer in look.layers if isinstance(layer.style, Style))
