"""Builds one engine in a process of its own: `python -m engines.build.build_engine STYLE --runtime tensorrt ...`.

What it builds lies in the engine cache afterwards; its answer to a probe was held against PyTorch FP32 on the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence

from engines.build.build_orders import named_style
from engines.build.build_process import EXIT_REJECTED, EXIT_UNAVAILABLE
from engines.cache.cache_entry import record_verdict
from engines.errors import EngineError, VeneerError
from engines.runtime.base import Engine
from engines.runtime.selector import open_engine
from engines.styles import Style


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, and say so: see `BuildProcess` for what is printed, and for the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("style")
    parser.add_argument("--size", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--runtime", required=True)
    wanted = parser.parse_args(arguments)
    try:
        style = named_style(wanted.style, wanted.size, wanted.region)
        _tell("build", f"building {style.name} for {wanted.runtime}")
        engine = open_engine(style, runtime=wanted.runtime)
    except (VeneerError, ValueError) as error:
        got = error.got if isinstance(error, VeneerError) else str(error)
        sys.stderr.write(f"{got}\n")
        return EXIT_UNAVAILABLE
    _tell("check", f"holding {style.name} against FP32")
    refusal = _refusal(engine, style)
    _tell("done", refusal or f"{style.name} is built")
    return EXIT_REJECTED if refusal else 0


def _refusal(engine: Engine, style: Style) -> str:
    """Why its answer to the probe is no good, noted where a later start finds it; empty where it is good."""
    from engines.runtime.probe import probe_bgr, within_tolerance
    from engines.runtime.torch.reference_engine import TorchEngine

    asked_bgr = probe_bgr(style.size_wh)
    answer, reference = engine.infer(asked_bgr), TorchEngine(style, why="").infer(asked_bgr)
    if within_tolerance(answer, reference):
        return ""
    because = f"on a probe it is {abs(answer - reference).max():.1f} of 255 off FP32"
    key = engine.info.key
    with contextlib.suppress(EngineError):
        record_verdict(key, passed=False, because=because)
    return because


def _tell(step: str, words: str) -> None:
    sys.stdout.write(json.dumps({"step": step, "done": 0, "of": 0, "say": words}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
