"""Makes the engines of one style at one size ready, as a start of the program would, and says what became of each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from engines.build import failed_builds
from engines.build.build_orders import BuildOrder, available_builds
from engines.build.build_process import BuildError, BuildProcess
from engines.cache import engine_cache
from engines.cache.engine_cache import CacheLookup
from engines.errors import VeneerError
from engines.runtime.base import EngineInfo
from engines.runtime.selector import open_engine
from engines.styles import Style

Told = Callable[[str], None]


def prepare_engine(style: Style, runtime: str) -> tuple[EngineInfo, str]:
    """Open an engine, which builds TensorRT's and converts OpenVINO's graph; run it once, and say what it is.

    Raises:
        VeneerError: there is none.
    """
    started_s = time.perf_counter()
    before = len(engine_cache.lookups)
    engine = open_engine(style, runtime=runtime)
    got = engine_cache.lookups[before:]
    try:
        engine.infer(np.zeros((1, style.size_wh[1], style.size_wh[0], 3), np.uint8))
    finally:
        engine.close()
    info = engine.info
    how = _how(info, got, time.perf_counter() - started_s)
    return info, f"{info.runtime} {info.precision} on {info.device}, {how} ({info.why})"


def _how(info: EngineInfo, got: Sequence[CacheLookup], took_s: float) -> str:
    """Where the engine that runs came from: what was built for another one, and not taken, is not meant."""
    its = [one for one in got if one.about.runtime == info.runtime.partition("-")[0]]
    if any(one.here for one in its):
        return f"built in {took_s:.1f} s"
    if its:
        return f"built by another process meanwhile, ready in {took_s:.1f} s"
    if info.runtime == "torch":
        return f"which needs no building, ready in {took_s:.1f} s"
    return f"was there already, ready in {took_s:.1f} s"


def build_upgrades(style: Style, info: EngineInfo, runtime: str, begun: Told, told: Told) -> Iterator[str]:
    """Build what `veneer run` would build aside in place of that engine; a line for each says what became of it.

    Each is built in a process of its own, which ends with this one, and with Ctrl-C.

    Args:
        style: at the size it is worn at.
        info: what `prepare_engine` found.
        runtime: as the user named it.
        begun: told what is built now, as in "OpenVINO INT8".
        told: told how far it is, in a few words.
    """
    for order in available_builds(style, info, runtime):
        if order.module == "engines.build.build_engine":
            continue  # opening it has just tried that
        begun(order.label)
        started_s = time.perf_counter()
        try:
            BuildProcess(order.module, order.arguments, limit_s=order.limit_s, told=told).run()
            yield _opened(style, order, started_s)
        except BuildError as error:
            yield f"{order.label} is not built: {error}"
            if error.permanent:
                size = "{}x{}".format(*style.size_wh)
                failed_builds.record_failure(
                    order.key(), label=order.label, style=style.name, size=size, reason=str(error)
                )


def _opened(style: Style, order: BuildOrder, started_s: float) -> str:
    """Whether what was built is what a start takes now."""
    try:
        engine = open_engine(style, runtime=order.runtime, build=False, convert=False)
    except VeneerError as error:
        return f"{order.label} is built, and cannot be opened: {error}"
    engine.close()
    info = engine.info
    if not order.fits(info):
        return f"{order.label} is built, and not taken: {info.runtime} {info.precision} runs ({info.why})"
    took_s = time.perf_counter() - started_s
    return f"{info.runtime} {info.precision} on {info.device}, ready after {took_s:.1f} s ({info.why})"
