"""How long one call of a style's engine takes on this machine: measured once, and kept in the cache folder."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np

from engines import paths
from engines.cache import engine_cache
from engines.errors import VeneerError
from engines.files import atomic_write
from engines.runtime.base import library_version
from engines.runtime.call_times import time_repeatedly
from engines.runtime.probe import probe_bgr
from engines.runtime.selector import graph_available, open_engine
from engines.styles import Style
from engines.untrusted_files import json_or_empty

_CALLS = 10
_MAX_ENTRIES = 500
_MAX_MS = 1e6


def times_file() -> Path:
    """Return the path of the file, which may not exist."""
    return paths.cache_dir() / "style-times.json"


def known_time(style: Style) -> float | None:
    """Return the time of one call in ms; None if it was not measured, or the style has changed."""
    try:
        found = (json_or_empty(times_file()) or {}).get(_key(style))
    except VeneerError:
        return None
    if isinstance(found, (int, float)) and not isinstance(found, bool) and 0 <= found < _MAX_MS:
        return float(found)
    return None


def measure_time(style: Style) -> float | None:
    """Open the style's engine, time it and keep the time; None if its graph is not converted yet.

    Raises VeneerError if the engine cannot be opened or fails.
    """
    if not graph_available(style):
        return None
    engine = open_engine(style, build=False, convert=False)
    try:
        region_bgr = probe_bgr(style.input_wh)
        median_ms = float(np.median(time_repeatedly(lambda: engine.infer(region_bgr), least=_CALLS)))
    finally:
        engine.close()
    keep_time(style, median_ms)
    return median_ms


def keep_time(style: Style, median_ms: float) -> None:
    """Keep the time of one call. A file that cannot be written is no error."""
    kept = dict(list((json_or_empty(times_file()) or {}).items())[-_MAX_ENTRIES:])
    with contextlib.suppress(OSError, VeneerError):
        times_file().parent.mkdir(parents=True, exist_ok=True)
        atomic_write(times_file(), json.dumps({**kept, _key(style): round(median_ms, 3)}, indent=1) + "\n")


def _key(style: Style) -> str:
    return engine_cache.cache_key(
        weights=style.weights_digest(),
        source=style.source_digest(),
        arguments=style.arguments,
        size_wh=list(style.size_wh),
        openvino=library_version("openvino"),
    )
