"""Builder of one engine, to be run by `BuildProcess`: opens it, which stores it in the cache, and checks its accuracy.

Arguments: STYLE --size WIDTHxHEIGHT --region REGION --runtime RUNTIME.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from engines.build.build_orders import builder_arguments
from engines.build.build_process import EXIT_REJECTED, EXIT_UNAVAILABLE, report_step
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError, VeneerError
from engines.runtime.base import Engine
from engines.runtime.probe import probe_bgr, within_tolerance
from engines.runtime.selector import open_engine, reference_engine
from engines.styles import Style


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the engine; return the exit code. See `engines.build.build_process` for the output."""
    try:
        style, runtime = builder_arguments(arguments, str(__doc__))
        report_step("build", f"building {style.name} for {runtime}")
        engine = open_engine(style, runtime=runtime)
    except VeneerError as error:
        sys.stderr.write(f"{error.got}\n")
        return EXIT_UNAVAILABLE
    report_step("check", f"comparing {style.name} with FP32")
    flaw = _flaw(engine, style)
    report_step("done", flaw or f"{style.name} is built")
    return EXIT_REJECTED if flaw else 0


def _flaw(engine: Engine, style: Style) -> str:
    """Return why the engine is not accurate enough, and record it as its verdict; "" if it is."""
    region_bgr = probe_bgr(style.input_wh)
    answer, reference = engine.infer(region_bgr), reference_engine(style).infer(region_bgr)
    if within_tolerance(answer, reference):
        return ""
    flaw = f"it deviates from FP32 by {abs(answer - reference).max():.1f}/255 on a probe"
    with contextlib.suppress(EngineError):
        record_verdict(engine.info.key, passed=False, because=flaw)
    return flaw
