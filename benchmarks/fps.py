"""Frame rate of the whole program: `python -m benchmarks.fps`.

Source, tracker, generators and blending run at full speed into a null sink, in the same pipeline as `veneer run`, with
the demo portrait or four portraits. After a burn-in, frames per second are counted over intervals; the latency runs
from the complete frame in memory to the return of the sink. The tracker alone, on the same frames in the same process
before and after, is the reference: the ratio to it depends less on the machine. The same is then measured at 30 frames
per second as from a camera, where late frames are dropped.

Without arguments: every look at 1280x720 with one face on automatically selected engines; one look of each kind at all
sizes with one face and four; and the same looks on every backend of this machine, about ten minutes on two cores. --all
measures all combinations. Naming looks, sizes, faces or backends measures only these, for longer, with defaults for the
rest. Each configuration runs in its own process. A JSON file is written after each of them, and a
chart at the end.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.common.arguments import INTERRUPTED, run_main
from benchmarks.common.machine_info import header, machine
from benchmarks.fps_matrix import plot, tables
from benchmarks.fps_matrix.plan import Case, Extent, impossible, parse_options, plan
from engines.build.cpu_contention import contention_warning
from engines.errors import EngineError, OptionsError
from engines.files import write_json
from engines.looks import Look
from engines.looks_file import load_looks
from engines.runtime.base import NotUsableError, library_version
from engines.runtime.torch.cuda_device import driver_device
from engines.text import first_line

_FAILED = 1
_ENGINE_LIBRARIES = ("nncf", "torch-tensorrt", "torch-tensorrt-rtx")


class Bench:
    """Measures configurations one after the other, each in its own process.

    `keep` stores the results so far after each configuration. `left_out` lists the configurations without a result,
    with outcome ("not available" or "failed") and reason.
    """

    def __init__(
        self, looks: Mapping[str, Look], extent: Extent, *, keep: Callable[[Bench], None], say: Callable[[str], None]
    ) -> None:
        self._looks, self._extent, self._keep, self._say = looks, extent, keep, say
        self._unavailable: dict[tuple[str, str], str] = {}
        self.runs: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []

    def measure(self, cases: Sequence[Case]) -> None:
        """Measure all configurations; failures do not end the measurement."""
        durations_s: list[float] = []
        for number, case in enumerate(cases, 1):
            began_s = time.monotonic()
            if reason := self._skip_reason(case):
                self._leave_out(case, "not available", reason)
                continue
            result = self._measure(case)
            try:
                self._keep(self)
            except OptionsError as error:  # a full disk: there may be room at the end
                self._say(str(error))
            durations_s.append(time.monotonic() - began_s)
            remaining = sum(not self._skip_reason(other) for other in cases[number:])
            remaining_min = sum(durations_s) / len(durations_s) * remaining / 60
            self._say(f"{number}/{len(cases)} {case}: {result} ({remaining_min:.0f} min remaining)")

    def _skip_reason(self, case: Case) -> str:
        return impossible(case, self._looks[case.look]) or self._unavailable.get((case.look, case.backend), "")

    def _measure(self, case: Case) -> str:
        """Measure one configuration and return a message on the result."""
        found = measure_in_process(case, self._extent)
        if "unavailable" in found:
            self._unavailable[case.look, case.backend] = found["unavailable"]
            return self._leave_out(case, "not available", found["unavailable"])
        if "failed" in found:
            return self._leave_out(case, "failed", found["failed"])
        self.runs.append(found)
        return f"{found['engine']}: {found['fps']:.1f} fps, {found['ratio']:.2f} of the tracker alone"

    def _leave_out(self, case: Case, outcome: str, reason: str) -> str:
        self.left_out.append({**asdict(case), "outcome": outcome, "reason": reason})
        return f"{outcome}: {reason}"


def measure_in_process(case: Case, extent: Extent) -> dict[str, Any]:
    """Run `measure_one` in its own process; returns its result, {"unavailable": reason} or {"failed": reason}."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        about = json.dumps({"case": asdict(case), "extent": asdict(extent)})
        command = [sys.executable, "-m", "benchmarks.fps_matrix.measure_one", about, str(out)]
        try:
            child = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=extent.timeout_s)
        except subprocess.TimeoutExpired:
            return {"failed": f"it took longer than {extent.timeout_s:.0f} s and was ended"}
        if child.returncode or not out.is_file():
            return {"failed": f"it ended with code {child.returncode}: {_last_line(child.stderr)}"}
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    messages = [line for line in child.stderr.splitlines() if line.startswith("veneer: ")]
    return found if "unavailable" in found or "failed" in found else {**found, "messages": messages}


def cold_start_s(look: str, *, cached: bool) -> float:
    """Return the seconds from process start to the end of a run of one frame, with or without converted engines."""
    elapsed_s = 0.0
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "VENEER_HOME": home}
        arguments = f"run --source demo --sink null --frames 1 --look {look}"
        command = [sys.executable, "-m", "live", *arguments.split()]
        for _ in range(2 if cached else 1):
            started_s = time.perf_counter()
            child = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
            elapsed_s = time.perf_counter() - started_s
            if child.returncode:
                raise EngineError("--start", f"it ended with code {child.returncode}: {_last_line(child.stderr)}")
    return elapsed_s


def _last_line(text: str) -> str:
    return next((line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "no error message")


def environment_info() -> dict[str, Any]:
    """Return the machine with its GPU and the libraries of further engines."""
    about = machine()
    found = {name: library_version(name) for name in _ENGINE_LIBRARIES}
    about["versions"] |= {name: version for name, version in found.items() if version}
    return {**about, "gpu": gpu_text(), "contention_warning": contention_warning()}


def gpu_text() -> str:
    """Describe the GPU, its driver and libraries, or the reason why there is none."""
    try:
        device = driver_device()
    except NotUsableError as error:
        return f"no GPU: {error.reason}"
    driver = f"driver {device.driver}".strip()
    libraries = {"PyTorch for CUDA": _torch_cuda()}
    libraries |= {"TensorRT": library_version("tensorrt"), "TensorRT-RTX": library_version("tensorrt-rtx")}
    parts = [f"GPU: {device.name}", "{} (CUDA {}.{})".format(driver, *device.cuda)]
    return ", ".join([*parts, *(f"{name} {version}" for name, version in libraries.items() if version)])


def _torch_cuda() -> str | None:
    try:
        import torch
    except ModuleNotFoundError:
        return None
    return torch.version.cuda


def head(about: dict[str, Any]) -> list[str]:
    """Format the lines above the tables."""
    libraries = [f"{name} {about['versions'][name]}" for name in _ENGINE_LIBRARIES if name in about["versions"]]
    lines = [", ".join([header(about), *libraries]), about["gpu"], about["contention_warning"]]
    return [line for line in lines if line]


def main() -> int:
    """Measure, print tables, write the files, and return the exit code."""
    options, selection, extent = parse_options(sys.argv[1:], __doc__ or "")
    looks = load_looks()
    cases, about = plan(selection, looks), environment_info()
    print(*head(about), sep="\n", flush=True)
    found: dict[str, Any] = {"machine": about, "extent": asdict(extent)}

    def keep(bench: Bench) -> None:
        write_json("--json", options.json, {**found, "runs": bench.runs, "not_measured": bench.left_out})

    bench, code = Bench(looks, extent, keep=keep, say=_say), 0
    try:
        bench.measure(cases)
        if options.start:
            look = (*selection.looks, "glaze")[0]
            first_s, cached_s = (round(cold_start_s(look, cached=cached), 2) for cached in (False, True))
            found["cold_start_s"] = {"first_ever": first_s, "cached": cached_s}
            print(f"new process to one finished {look} frame and exit: {found['cold_start_s']}")
    except KeyboardInterrupt:
        code = INTERRUPTED
        _say(f"stopped; {len(bench.runs)} of {len(cases)} were measured")
    if runs := bench.runs:
        print(tables.rates(runs), tables.RATES_LEGEND, tables.stages(runs), tables.STAGES_LEGEND, sep="\n")
    for line in (*tables.notes(bench.runs), *tables.missing(bench.left_out)):
        print(line)
    keep(bench)
    plots = _draw(bench, options.plot, head(about))
    print(f"written: {', '.join([str(options.json), *plots])}")
    failed = any(case["outcome"] == "failed" for case in bench.left_out)
    return code or (_FAILED if failed or not bench.runs else 0)


def _draw(bench: Bench, path: Path, about: Sequence[str]) -> list[str]:
    """Draw the chart and return its path, if any."""
    if not bench.runs:
        return []
    try:
        plot.draw(path, bench.runs, about)
    except (ImportError, OSError) as error:
        print(f"no chart: {first_line(error)}")
        return []
    return [str(path)]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the child process and print the results
    sys.exit(run_main("fps", main))
