"""Import of a small ONNX network, and a live look of it: `python -m benchmarks.imported_look --seconds 20`.

A fast style network of about 0.1 GMAC with random weights is written as an ONNX file, imported into an empty home
folder, and worn on the demo portrait through the whole program without output, before and after INT8 was built. Exit
code 1 if the import takes 10 s or more, or the look stays below 30 frames a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.common.arguments import Parser, number, run_main
from benchmarks.common.machine_info import header, machine
from benchmarks.common.onnx_writer import fast_style
from engines.errors import OptionsError
from engines.files import write_json

MAX_IMPORT_S, MIN_FPS = 10.0, 30.0
_NAME = "imported"
_LIMIT_S = 1800.0


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = Parser("imported_look", __doc__)
    parser.add_argument("--seconds", type=number(2, 3600), default=20.0, help="length of each live run (default: 20)")
    parser.add_argument("--no-int8", action="store_true", help="leave out the run after veneer calibrate")
    parser.add_size()
    parser.add_file("--json")
    options = parser.parse()
    print(header(machine()))
    with tempfile.TemporaryDirectory(prefix="veneer-") as folder:
        found = _measure(Path(folder), options.seconds, options.size, int8=not options.no_int8)
    for name, run in found["runs"].items():
        engine = f"{run['runtime']} {run['precision']}"
        print(f"{name}: {run['fps']:.1f} fps, {engine}, network {run['generate_ms']:.1f} ms, dropped {run['dropped']}")
    write_json("--json", options.json, {"machine": machine(), **found})
    holds = found["import_s"] < MAX_IMPORT_S and max(run["fps"] for run in found["runs"].values()) >= MIN_FPS
    print("holds" if holds else f"does not hold: import under {MAX_IMPORT_S:g} s, at least {MIN_FPS:g} fps")
    return 0 if holds else 1


def _measure(folder: Path, seconds: float, size: str, *, int8: bool) -> dict[str, Any]:
    home = {"VENEER_HOME": str(folder / "home")}
    (folder / "net.onnx").write_bytes(fast_style())
    started_s = time.perf_counter()
    said = _veneer(home, "import", _NAME, folder / "net.onnx")
    found: dict[str, Any] = {"import_s": round(time.perf_counter() - started_s, 2), "runs": {}}
    print(f"imported in {found['import_s']} s: {said.splitlines()[0]}")
    config = folder / "home" / "config"
    config.mkdir(parents=True, exist_ok=True)
    (config / "looks.toml").write_text(f'[looks.{_NAME}]\nlayers = [{{ style = "{_NAME}" }}]\n')
    found["runs"]["as imported"] = _live(folder, home, seconds, size)
    if int8:
        _veneer(home, "calibrate", _NAME)
        found["runs"]["calibrated"] = _live(folder, home, seconds, size)
    return found


def _live(folder: Path, home: dict[str, str], seconds: float, size: str) -> dict[str, Any]:
    report = folder / "report.json"
    frames = round(seconds * MIN_FPS)
    words = ("run", "--source", "demo", "--sink", "null", "--look", _NAME, "--size", size, "--frames", frames)
    _veneer(home, *words, "--report", report)
    read: dict[str, Any] = json.loads(report.read_text())
    engine = read["engines"][0]
    return {
        "fps": read["fps"], "dropped": read["dropped"], "generate_ms": read["stages_ms"]["generate"]["p50"],
        "runtime": engine["runtime"], "precision": engine["precision"], "latency_ms": read["latency_ms"],
    }  # fmt: skip


def _veneer(home: dict[str, str], *words: object) -> str:
    """Run a command of the program in a process of its own; return what it printed."""
    command = [sys.executable, "-m", "live", *map(str, words)]
    done = subprocess.run(
        command, env={**os.environ, **home}, capture_output=True, text=True, timeout=_LIMIT_S, check=False
    )
    if done.returncode:
        raise OptionsError(f"veneer {words[0]}", done.stderr.strip().splitlines()[-1], "see the line above")
    return done.stdout


if __name__ == "__main__":
    sys.exit(run_main("imported_look", main))
