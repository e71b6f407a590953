"""Description of the machine, resource use of the process, and text tables."""

from __future__ import annotations

import contextlib
import os
import platform
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engines.runtime.base import usable_cores


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, time of the measurement, load and library versions."""
    from live.pipeline.report import versions  # deferred: `benchmarks.engines` runs without the dependencies of live

    return {
        "cpu": processor(),
        "cores": usable_cores(),
        "memory_gb": round(_memory_kb() / 1e6, 1),
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "load_1min": load_1min(),
        "versions": versions(),
    }


def processor() -> str:
    """Return the name of the processor."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
        return platform.machine()
    return platform.processor() or platform.machine()


def load_1min() -> float | None:
    """Return the load average over one minute; None if the system has none."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _memory_kb() -> float:
    try:
        return float(Path("/proc/meminfo").read_text().split()[1])
    except OSError:
        return 0.0


def resident_mb() -> float:
    """Return the resident memory of this process in MB; 0.0 if unknown."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def anonymous_mb() -> float:
    """Return the resident memory of this process that is not backed by files, in MB; 0.0 if unknown."""
    try:
        rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in rows if row.startswith("Anonymous:")) * 1024 / 1e6


def native_threads() -> int:
    """Return the number of threads including those of native libraries; only Python's if unknown."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


def open_handles() -> int:
    """Return the number of open files, sockets and devices of this process; 0 if unknown."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir()) - 1  # without the handle used for listing
    return 0


def header(about: dict[str, Any]) -> str:
    """Format the result of `machine` as one line."""
    found = about["versions"]
    libraries = ("mediapipe", "openvino", "torch", "opencv-contrib-python")
    named = ", ".join(f"{name} {found[name]}" for name in libraries)
    return f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB, Python {found['python']}, {named}"


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format rows as right-aligned columns; floats get two decimals."""
    cells = [list(map(str, names)), *[[f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
