"""Build the INT8 engine of one style: `python -m calibration.engine_checks.int8_build STYLE`.

Progress is written to stdout as JSON lines: {"step": "set", "quantise", "evaluate" or "done", "done": 3, "of": 11,
"say": "message"}.

Exit codes: 0: the engine exists and passed. 2: it cannot be built here; stderr holds one line with the reason. 3:
calibration rejected it; the last JSON line holds the reason.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import count

from calibration.engine_checks.quantize import Int8LoadError, build_int8
from calibration.engine_checks.verdicts import load_reference
from calibration.sets.set_builder import BUILT_IN_PICTURES, built_in
from engines.build.build_orders import builder_arguments
from engines.build.build_process import EXIT_REJECTED, EXIT_UNAVAILABLE, report_step
from engines.errors import VeneerError
from engines.runtime.base import NotUsableError
from engines.styles import Style


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the builder and return its exit code; see the module docstring."""
    try:
        return _build(builder_arguments(arguments, str(__doc__))[0])
    except Int8LoadError as error:
        report_step("done", str(error))
        return EXIT_REJECTED
    except (VeneerError, NotUsableError) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_UNAVAILABLE


def _build(style: Style) -> int:
    pictures = count(1)

    def on_picture() -> None:
        report_step("set", "creating the built-in calibration set", next(pictures), BUILT_IN_PICTURES)

    with suppress(ModuleNotFoundError):  # the reference is OpenVINO then
        import torch

        torch.set_num_threads(1)  # the renderer runs at the same time: more threads would compete with it
    built_in(on_picture=on_picture, say=lambda line: report_step("set", line))
    report_step("evaluate", f"{style.name}: computing the FP32 reference")
    verdict = build_int8(style, load_reference(style), say=lambda line: report_step("quantise", line))
    scores = verdict.cases.get("all")
    numbers = f"mean dE {scores.mean_de:.2f}, PSNR {scores.psnr_db:.1f} dB against FP32" if scores else "no scores"
    report_step("done", f"{style.name} INT8 {'passed' if verdict.passed else f'failed: {verdict.reason}'} ({numbers})")
    return 0 if verdict.passed else EXIT_REJECTED


if __name__ == "__main__":
    sys.exit(main())
