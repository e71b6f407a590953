"""The processor load of other programs, which makes timings unreliable."""

from __future__ import annotations

import os
import time
from pathlib import Path

_BUSY_SHARE = 0.25  # of the cores
_SAMPLE_S = 0.5


class CpuContention:
    """Context manager that measures the mean number of `cores` used by other programs; None if that is not known."""

    cores: float | None = None

    def __enter__(self) -> CpuContention:
        self._start_s, self._start_busy_s = time.monotonic(), _other_busy_s()
        return self

    def __exit__(self, *_: object) -> None:
        busy_s, elapsed_s = _other_busy_s(), time.monotonic() - self._start_s
        if self._start_busy_s is not None and busy_s is not None and elapsed_s > 0:
            self.cores = round(max(0.0, busy_s - self._start_busy_s) / elapsed_s, 2)


def contention_warning() -> str:
    """Return one line if other programs keep the processors busy, else "". Measures for half a second.

    Without `/proc/stat` (macOS) the load average of the last minute is used, which includes this program's own load.
    Where there is none (Windows) the result is "".
    """
    cores = os.cpu_count() or 1
    if _other_busy_s() is None:
        used: float | None = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    else:
        with CpuContention() as contention:
            time.sleep(_SAMPLE_S)
        used = contention.cores
    if used is None or used < _BUSY_SHARE * cores:
        return ""
    return f"other programs keep {used:.1f} of {cores} cores busy: measure again when they are idle"


def _other_busy_s() -> float | None:
    """Return the busy seconds of all processors since boot, without this process (`man 5 proc_stat`)."""
    try:
        ticks = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    except (OSError, ValueError, IndexError):
        return None
    busy = user + nice + system + irq + softirq + steal
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()
