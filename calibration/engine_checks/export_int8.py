"""Export the INT8 graphs of the shipped drawn styles: `python -m calibration.engine_checks.export_int8`.

Run it after `engines.runtime.openvino.export_openvino`. A graph is quantised on the built-in calibration set and judged
with the tolerances of calibration. Weights have seven bits, so that it is exact on processors without VNNI too.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from calibration.engine_checks.quantize import build_int8
from calibration.engine_checks.verdicts import load_reference
from calibration.sets.set_builder import built_in
from engines.cache import engine_cache
from engines.runtime.openvino.int8_graph import RECIPES, int8_key, shipped_int8_key
from engines.style_lookup import load_style, shipped_names
from engines.styles import SHIPPED, Style

_HOME = SHIPPED / "openvino"


def main() -> None:
    """Quantise every shipped style that works on faces; those that calibration rejects are named and left out."""
    with TemporaryDirectory() as home:
        os.environ["VENEER_HOME"] = home  # the user's own calibration pictures and engines are not used
        built_in()
        for name in shipped_names():
            style = load_style(name)
            if style.region != "lips":
                sys.stdout.write(f"{name}: {_export(style)}\n")


def _export(style: Style) -> str:
    """Store the graph of one style; return its folder and scores, or why there is none."""
    key = shipped_int8_key(style)
    shutil.rmtree(_HOME / key, ignore_errors=True)
    narrow = [recipe for recipe in RECIPES if recipe.narrow_weights]
    verdict = build_int8(style, load_reference(style), recipes=narrow)
    entry, scores = engine_cache.find(int8_key(style)), verdict.cases["all"]
    numbers = f"mean dE {scores.mean_de:.2f}, PSNR {scores.psnr_db:.1f} dB against FP32"
    if entry is None or not verdict.passed:
        return f"rejected: {verdict.reason} ({numbers})"
    return f"{engine_cache.store(key, partial(_copy_graph, entry), home=_HOME)} ({numbers})"


def _copy_graph(entry: Path, folder: Path) -> None:
    for path in entry.glob("model.*"):
        shutil.copy2(path, folder / path.name)


if __name__ == "__main__":
    main()
