"""The state of a run, for `veneer ctl status`, the control page and the preview window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.control.hotkeys import help_lines
from live.diagnostics.engine_status import in_short, in_words
from live.pipeline.pipeline import Pipeline
from live.sinks.preview_meter import MeterText


def run_status(pipeline: Pipeline, *, watched: bool) -> dict[str, Any]:
    """Return the look, what the viewers see, rates, latency in ms over the last frames, and the engines."""
    state, look_loader = pipeline.parts.controls.read(), pipeline.parts.look_loader
    rate, p50, p95 = pipeline.timings.recent()
    return {
        "look": state.look,
        "strength": round(state.strength, 2),
        "viewers_see": pipeline.sinks.shown if watched else "nothing",
        "fps": round(rate, 1),
        "latency_p50_ms": round(p50, 1),
        "latency_p95_ms": round(p95, 1),
        "dropped": pipeline.dropped,
        "watched": watched,
        **({"persons": persons} if (persons := _persons(pipeline)) else {}),
        "engines": [in_words(info) for info in look_loader.engines(state.look)],
        "building": look_loader.upgrades.progress(),
    }


def meter_text(pipeline: Pipeline, look_keys: Mapping[str, str]) -> MeterText:
    """Return the text of the preview window; `look_keys` are the keys of the help."""
    state, look_loader = pipeline.parts.controls.read(), pipeline.parts.look_loader
    rate, p50, p95 = pipeline.timings.recent()
    lines: tuple[str, ...] = (
        f"{rate:.0f} fps   {p50:.0f} / {p95:.0f} ms p50/p95   {pipeline.dropped} dropped",
        f"{state.look} {state.strength:.0%}   {in_short(look_loader.engines(state.look))}   H help",
    )
    building = look_loader.upgrades.progress()
    lines += tuple(filter(None, (building, _persons(pipeline))))
    banners = {
        "panic": state.panic,
        "frozen": state.frozen,
        "recording": state.recording,
        "waiting for the camera": pipeline.source_waits,
        "face swap": swaps_faces(pipeline),
    }
    banner = ", ".join(name for name, on in banners.items() if on)
    return MeterText(lines, help_lines(look_keys) if state.help_shown else (), banner)


def swaps_faces(pipeline: Pipeline) -> bool:
    """Whether the selected look puts another person's face in the place of the own one."""
    look = pipeline.parts.look_loader.looks.get(pipeline.parts.controls.read().look)
    return look is not None and bool(look.swap_note)


def _persons(pipeline: Pipeline) -> str:
    """Return who is seen, if looks depend on it."""
    recogniser = pipeline.parts.recogniser
    return recogniser.in_words() if recogniser is not None else ""
