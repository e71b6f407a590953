"""How busy other programs keep this machine: what is timed meanwhile says little."""

from __future__ import annotations

import os
import time
from pathlib import Path

_BUSY_SHARE = 0.25  # of the cores
_LOOK_S = 0.5


class CpuContention:
    """How much of the processors everybody else used while the block ran.

    Attributes:
        cores: as in 0.5 for half of one; None where the system does not say.
    """

    cores: float | None = None

    def __enter__(self) -> CpuContention:
        self._began_s, self._before_s = time.monotonic(), _others_s()
        return self

    def __exit__(self, *_: object) -> None:
        after_s, took_s = _others_s(), time.monotonic() - self._began_s
        if self._before_s is not None and after_s is not None and took_s > 0:
            self.cores = round(max(0.0, after_s - self._before_s) / took_s, 2)


def crowded() -> str:
    """One line where other programs keep the machine busy just now, for which it looks half a second; else nothing.

    Where the system does not say what all processors did (macOS), its load average is taken, which remembers for a
    minute whatever ran before, this program's own work too; where there is none (Windows), nothing is said.
    """
    cores = os.cpu_count() or 1
    if _others_s() is None:
        used: float | None = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    else:
        with CpuContention() as others:
            time.sleep(_LOOK_S)
        used = others.cores
    if used is None or used < _BUSY_SHARE * cores:
        return ""
    return f"other programs keep {used:.1f} of {cores} cores busy: measure again when they are idle"


def _others_s() -> float | None:
    """Seconds that the processors were busy since the machine's start, without this process (`man 5 proc_stat`)."""
    try:
        ticks = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = ticks
    except (OSError, ValueError, IndexError):
        return None
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()
