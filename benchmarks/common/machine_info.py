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

from engines.files import write_json
from engines.runtime.base import usable_cores
from live.pipeline.report import versions


def machine() -> dict[str, Any]:
    """Return processor, cores, memory, time of the measurement, load and library versions."""
    return {
        "cpu": _fields("/proc/cpuinfo").get("model name") or platform.processor() or platform.machine(),
        "cores": usable_cores(),
        "memory_gb": round(_kilobytes("/proc/meminfo", "MemTotal") / 1e6, 1),
        "measured": time.strftime("%Y-%m-%d %H:%M"),
        "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "versions": versions(),
    }


def _fields(path: str) -> dict[str, str]:
    """Return the "name: value" lines of a file in /proc, the first of each name; empty without /proc."""
    with contextlib.suppress(OSError):
        lines = (line.partition(":") for line in reversed(Path(path).read_text().splitlines()))
        return {name.strip(): value.strip() for name, _, value in lines}
    return {}


def _kilobytes(path: str, name: str) -> float:
    return float(_fields(path).get(name, "0").split()[0])


def resident_mb() -> float:
    """Return the resident memory of this process in MB; 0.0 if unknown."""
    return _kilobytes("/proc/self/status", "VmRSS") * 1024 / 1e6


def anonymous_mb() -> float:
    """Return the resident memory of this process that is not backed by files, in MB; 0.0 if unknown."""
    return _kilobytes("/proc/self/status", "RssAnon") * 1024 / 1e6


def native_threads() -> int:
    """Return the number of threads including those of native libraries; only Python's if unknown."""
    return int(_fields("/proc/self/status").get("Threads", threading.active_count()))


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


def report(columns: Sequence[str], rows: Sequence[Sequence[object]], path: Path | None) -> None:
    """Print the machine and a table, and write both to the file of --json."""
    about = machine()
    print(header(about), table(columns, rows), sep="\n")
    write_json("--json", path, {"machine": about, "rows": rows})


def three_digits(number: float | None) -> str:
    """As in 0.123, 1.23, 12.3, 123 and 1234; "-" for None."""
    return "-" if number is None else f"{number:.0f}" if number >= 100 else f"{number:.3g}"
