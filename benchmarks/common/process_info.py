"""What this process holds just now: memory, threads, file handles."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path


def anonymous_mb() -> float:
    """Memory that this process holds and that is no page of any file; 0.0 where the system does not say."""
    try:
        rows = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in rows if row.startswith("Anonymous:")) * 1024 / 1e6


def native_threads() -> int:
    """Threads of this process, those of native libraries too; Python's own where the system does not say."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


def handles() -> int:
    """Open files, sockets and devices of this process; 0 where the system does not say."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        with contextlib.suppress(OSError):
            return sum(1 for _ in Path(folder).iterdir()) - 1  # without the one that lists them
    return 0
