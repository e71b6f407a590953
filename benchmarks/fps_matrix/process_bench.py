"""Measures the configurations of `benchmarks.fps`, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.fps_matrix.plan import Case, Extent, never
from engines.errors import EngineError, OptionsError
from engines.looks import Look


class Bench:
    """Measures configurations one after the other, and keeps what was found in a file.

    Args:
        looks: all looks by name.
        extent: how long each is measured.
        keep: called after each with all that is known so far; raises OptionsError where the disk does not take it.
        say: takes one line on how it goes.

    Attributes:
        runs: what was measured.
        left_out: what could not be, with its outcome ("not here", "failed") and why.
    """

    def __init__(
        self,
        looks: Mapping[str, Look],
        extent: Extent,
        *,
        keep: Callable[[Bench], None],
        say: Callable[[str], None],
    ) -> None:
        self._looks, self._extent, self._keep, self._say = looks, extent, keep, say
        self._refused: dict[tuple[str, str], str] = {}
        self.runs: list[dict[str, Any]] = []
        self.left_out: list[dict[str, Any]] = []

    def measure(self, cases: Sequence[Case]) -> None:
        """All of them; one that fails or cannot be had here does not keep the others from it."""
        took_s: list[float] = []
        for number, case in enumerate(cases, 1):
            began_s = time.monotonic()
            why = self._known(case)
            if why:
                self._leave_out(case, "not here", why)
                continue
            told = self._measured(case)
            self._kept()
            took_s.append(time.monotonic() - began_s)
            left = sum(not self._known(other) for other in cases[number:])
            left_min = sum(took_s) / len(took_s) * left / 60
            self._say(f"{number}/{len(cases)} {case}: {told} ({left_min:.0f} min to go)")

    def _known(self, case: Case) -> str:
        """Why it cannot be had here, where that is known by now."""
        return never(case, self._looks[case.look]) or self._refused.get((case.look, case.way), "")

    def _measured(self, case: Case) -> str:
        """Measure one; how it went, in words."""
        found = measure_alone(case, self._extent)
        if "refused" in found:
            self._refused[case.look, case.way] = found["refused"]
            self._leave_out(case, "not here", found["refused"])
            return f"not here: {found['refused']}"
        if "failed" in found:
            self._leave_out(case, "failed", found["failed"])
            return f"failed: {found['failed']}"
        self.runs.append(found)
        return f"{found['engine']}: {found['fps']:.1f} fps, {found['ratio']:.2f} of the tracker alone"

    def _kept(self) -> None:
        """A full disk now is no reason to stop: there may be room at the end."""
        try:
            self._keep(self)
        except OptionsError as error:
            self._say(str(error))

    def _leave_out(self, case: Case, outcome: str, why: str) -> None:
        self.left_out.append({**asdict(case), "outcome": outcome, "why": why})


def measure_alone(case: Case, extent: Extent) -> dict[str, Any]:
    """One configuration in a process of its own: what `fps_one.measure` found, or {"refused": why}, {"failed": why}."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "found.json")
        about = json.dumps({"case": asdict(case), "extent": asdict(extent)})
        command = [sys.executable, "-m", "benchmarks.fps_matrix.measure_one", about, str(out)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=extent.patience_s)
        except subprocess.TimeoutExpired:
            return {"failed": f"it took longer than {extent.patience_s:.0f} s and was ended"}
        if done.returncode or not out.is_file():
            return {"failed": f"it ended with code {done.returncode}: {_last_line(done.stderr)}"}
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    said = [line for line in done.stderr.splitlines() if line.startswith("veneer: ")]
    return found if "refused" in found or "failed" in found else {**found, "said": said}


def _last_line(text: str) -> str:
    return next((line.strip()[:200] for line in reversed(text.splitlines()) if line.strip()), "it said nothing")


def cold_start_s(look: str, *, cached: bool) -> float:
    """Seconds from the start of a new process to the end of a run of one frame; with or without converted engines.

    Raises:
        EngineError: the program failed.
    """
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "VENEER_HOME": home}
        arguments = f"run --source demo --sink null --frames 1 --look {look}"
        command = [sys.executable, "-m", "live", *arguments.split()]
        for _ in range(2 if cached else 1):
            started_s = time.perf_counter()
            done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace")
            took_s = time.perf_counter() - started_s
            if done.returncode:
                raise EngineError("--start", f"it ended with code {done.returncode}: {_last_line(done.stderr)}")
    return took_s
