"""What a measurement was made on, and the table it is printed in."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, versions and the time of day."""
    from live.pipeline.report import (
        versions,
    )  # not at once: `benchmarks.engines` runs where the program is not installed

    return {
        "cpu": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(_memory_kb() / 1e6, 1),
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": versions(),
    }


def processor() -> str:
    """Its name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory_kb() -> float:
    try:
        return float(Path("/proc/meminfo").read_text().split()[1])
    except OSError:
        return 0.0


def resident_mb() -> float:
    """Memory that this process holds, in megabytes; 0.0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def header(about: dict[str, Any]) -> str:
    """One line on the machine for a person."""
    found = about["versions"]
    named = ("mediapipe", "openvino", "torch", "opencv-contrib-python")
    libraries = ", ".join(f"{name} {found[name]}" for name in named)
    return f"{about['cpu']}, {about['cores']} cores, {about['memory_gb']} GB, Python {found['python']}, {libraries}"


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns of equal width, numbers to the right."""
    cells = [list(map(str, names)), *[[f"{c:.2f}" if isinstance(c, float) else str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
