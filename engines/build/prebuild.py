"""Prepare the engines of one style at one size as a start of the program would, and report the result of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engines.build import failed_builds
from engines.build.build_orders import OPENING_BUILDER, BuildOrder, available_builds
from engines.build.build_process import BuildError, BuildProcess
from engines.cache import engine_cache
from engines.cache.engine_cache import CacheLookup
from engines.errors import VeneerError
from engines.runtime.base import EngineInfo
from engines.runtime.selector import open_engine
from engines.styles import Style


def prepare_engine(style: Style, runtime: str) -> tuple[EngineInfo, str]:
    """Open an engine, which builds or converts it if necessary, and run it once; return its info and a report.

    Raises VeneerError if no engine can be opened.
    """
    started_s, lookups_before = time.perf_counter(), len(engine_cache.lookups)
    engine = open_engine(style, runtime=runtime)
    try:
        engine.infer(np.zeros((1, *style.input_wh[::-1], 3), np.uint8))
    finally:
        engine.close()
    info = engine.info
    origin = _origin(info, engine_cache.lookups[lookups_before:], time.perf_counter() - started_s)
    return info, f"{info.runtime} {info.precision} on {info.device}, {origin} ({info.why})"


def _origin(info: EngineInfo, lookups: Sequence[CacheLookup], elapsed_s: float) -> str:
    """Say where the running engine came from; builds of other runtimes that were not taken do not count."""
    own = [lookup for lookup in lookups if lookup.about.runtime == info.runtime.partition("-")[0]]
    if any(lookup.here for lookup in own):
        return f"built in {elapsed_s:.1f} s"
    if own:
        return f"built by another process meanwhile, ready in {elapsed_s:.1f} s"
    if info.runtime == "torch":
        return f"which needs no building, ready in {elapsed_s:.1f} s"
    return f"was there already, ready in {elapsed_s:.1f} s"


def build_upgrades(
    style: Style,
    info: EngineInfo,
    runtime: str,
    on_start: Callable[[str], None],
    on_step: Callable[[str], None],
) -> Iterator[str]:
    """Build what `veneer run` would build in the background to replace an engine; yield one line on each result.

    Each build runs in a process of its own, which ends with this process and on Ctrl-C. `on_start` receives the label
    of each build, as in "OpenVINO INT8".
    """
    for order in available_builds(style, info, runtime):
        if order.builder == OPENING_BUILDER:
            continue  # `prepare_engine` has tried that
        on_start(order.label)
        started_s = time.perf_counter()
        try:
            BuildProcess(order.builder, order.arguments, limit_s=order.limit_s, on_step=on_step).run()
            yield _result(style, order, started_s)
        except BuildError as error:
            yield f"{order.label} is not built: {error}"
            if error.permanent:
                failed_builds.record_failure(order.current_key(), order.label, style, str(error))


def _result(style: Style, order: BuildOrder, started_s: float) -> str:
    """Open the built engine, and say whether the selector takes it."""
    try:
        engine = open_engine(style, runtime=order.runtime, build=False, convert=False)
    except VeneerError as error:
        return f"{order.label} is built, but cannot be opened: {error}"
    engine.close()
    info = engine.info
    if not order.matches(info):
        return f"{order.label} is built, but not used: {info.runtime} {info.precision} runs ({info.why})"
    elapsed_s = time.perf_counter() - started_s
    return f"{info.runtime} {info.precision} on {info.device}, ready after {elapsed_s:.1f} s ({info.why})"
