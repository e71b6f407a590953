"""What a run on many files has done: lines for the user, a JSON report, a Prometheus text file, a log in JSON lines."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engines.errors import os_errors
from engines.files import atomic_write, write_json
from live.batch.folder_plan import Plan
from live.batch.manifest import DONE, Record
from live.tracking.quiet_stderr import lines_to, print_line


@dataclass(slots=True)
class BatchReport:
    """Counts the records of a run.

    Attributes:
        plan: What was to be done.
        failed: One line for each file that is not done.
        total: Number of files.
        partial: One line for each file that could be read only in part.
    """

    plan: Plan
    failed: list[str]
    total: int
    partial: list[str] = field(default_factory=list)
    _states: Counter[str] = field(default_factory=Counter)
    _sums: Counter[str] = field(default_factory=Counter)
    _stages_s: Counter[str] = field(default_factory=Counter)
    _precisions: Counter[str] = field(default_factory=Counter)
    _quarantined: list[dict[str, Any]] = field(default_factory=list)
    _started_s: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for record in self.plan.quarantined:
            self._list(record)

    def count(self, record: Record) -> None:
        """Count a file that was done, or has failed."""
        self._states[record.state] += 1
        sums = {"frames": record.frames, "seconds": record.seconds, "retries": record.tries - 1}
        self._sums.update({**sums, "output_bytes": record.output_bytes})
        self._stages_s.update(record.stages_s)
        if record.precision:
            self._precisions[record.precision] += 1
        self._list(record)
        log_event("file", path=record.path, state=record.state, frames=record.frames, seconds=record.seconds,
                  tries=record.tries, node=record.node, error=record.error)  # fmt: skip

    def _list(self, record: Record) -> None:
        name = record.path  # several folders may have a file of the same name
        if record.state == "partial":
            self.partial.append(f"done in part: {name}: {record.error}")
        elif record.state == "failed":
            self.failed.append(f"{name}: {record.error}")
        elif record.state == "quarantined":
            self.failed.append(f"{name}: {record.error} (quarantined after {record.tries} tries)")
            self._quarantined.append({"path": record.path, "error": record.error, "tries": record.tries})

    def lines(self, output: str) -> list[str]:
        """Return the lines for the user."""
        plan, done = self.plan, sum(self._states[state] for state in DONE)
        changed = f"; {plan.changed} of them again, as file, look or result had changed" if plan.changed else ""
        before = f"; {plan.done_before} were done before and have not changed" if plan.done_before else ""
        existing = f"; {plan.existed} existed and were kept" if plan.existed else ""
        first = f"{done} of {self.total} files done in {output}{changed}{before}{existing}"
        return [first, *self.partial, *(f"not done: {line}" for line in self.failed)]

    def found(self) -> dict[str, Any]:
        """Return the report."""
        lasted_s = max(time.monotonic() - self._started_s, 1e-6)
        return {
            "files": {
                "all": self.total,
                **{state: self._states[state] for state in (*DONE, "failed", "quarantined")},
                "done_before": self.plan.done_before,
                "kept": self.plan.existed,
            },
            "seconds": round(lasted_s, 3),
            "frames": self._sums["frames"],
            "frames_per_s": round(self._sums["frames"] / lasted_s, 3),
            "files_per_s": round(sum(self._states.values()) / lasted_s, 3),
            "output_bytes": self._sums["output_bytes"],
            "work_s": round(self._sums["seconds"], 3),
            "stages_s": {name: round(seconds, 3) for name, seconds in self._stages_s.items()},
            "retries": self._sums["retries"],
            "precisions": dict(self._precisions),
            "quarantined": self._quarantined,
        }

    def write(self, report: Path | None, prometheus: Path | None) -> None:
        """Write the report and the Prometheus text file, if their paths are given. Raises OptionsError."""
        found = self.found()
        write_json("--report", report, found)
        if prometheus is not None:
            with os_errors(f"--prometheus {prometheus}", "name a file in a writable folder"):
                atomic_write(prometheus, prometheus_text(found))


def prometheus_text(found: dict[str, Any]) -> str:
    """Return a report in Prometheus' text format, for the textfile collector of its node exporter."""
    gauges = [("files", f'{{state="{state}"}}', count) for state, count in found["files"].items() if state != "all"]
    gauges += [("stage_seconds", f'{{stage="{name}"}}', seconds) for name, seconds in found["stages_s"].items()]
    plain = ("seconds", "work_s", "frames", "frames_per_s", "files_per_s", "output_bytes", "retries")
    gauges += [(name.replace("work_s", "work_seconds"), "", found[name]) for name in plain]
    lines: list[str] = []
    for name, labels, value in gauges:
        if (kind := f"# TYPE veneer_apply_{name} gauge") not in lines:
            lines.append(kind)
        lines.append(f"veneer_apply_{name}{labels} {value}")
    return "\n".join(lines) + "\n"


_json_logs: list[None] = []


@contextlib.contextmanager
def log_as_json() -> Iterator[None]:
    """Print one line of JSON for each file and each message inside the block, in place of the lines for the user."""
    _json_logs.append(None)
    try:
        with lines_to(lambda line: _print_event("message", text=line.removeprefix("veneer: "))):
            yield
    finally:
        _json_logs.pop()


def log_event(event: str, **fields: Any) -> None:
    """Print an event inside `log_as_json`; do nothing elsewhere."""
    if _json_logs:
        _print_event(event, **fields)


def _print_event(event: str, **fields: Any) -> None:
    print_line(json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "event": event, **fields}))
