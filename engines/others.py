"""How busy other programs keep this machine: what is timed meanwhile says little."""

from __future__ import annotations

import os
import time
from pathlib import Path

_BUSY_SHARE = 0.25  # of the cores
_LOOK_S = 0.5


class Others:
    """How much of the processors everybody else used while the block ran.

    Attributes:
        cores: as in 0.5 for half of one; None where the system does not say.
    """

    cores: float | None = None

    def __enter__(self) -> Others:
        self._began_s, self._before_s = time.monotonic(), _others_s()
        return self

    def __exit__(self, *_: object) -> None:
        after_s, took_s = _others_s(), time.monotonic() - self._began_s
        if self._before_s is not None and after_s is not None and took_s > 0:
            self.cores = round(max(0.0, after_s - self._before_s) / took_s, 2)


def crowded() -> str:
    """One line where other programs keep the machine busy just now, for which it looks half a second; else nothing.

    Not the system's load average: that remembers for a minute whatever ran before, this program's own work too.
    """
    with Others() as others:
        time.sleep(_LOOK_S)
    if others.cores is None or others.cores < _BUSY_SHARE * (os.cpu_count() or 1):
        return ""
    return f"other programs keep {others.cores:.1f} of {os.cpu_count()} cores busy: measure again when they are idle"


def _others_s() -> float | None:
    """Seconds that the processors were busy since the machine's start, without this process (`man 5 proc_stat`)."""
    try:
        ticks = [int(part) for part in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = ticks
    except (OSError, ValueError, IndexError):
        return None
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()
