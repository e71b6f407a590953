"""Timeouts for tests: 2 s, plus the time for which the machine itself was delayed meanwhile.

A separate process, the yardstick, sleeps for short times and records when it woke. It wakes late if the machine stalls,
as shared machines do, and on time if only the tested program hangs, even while it holds the interpreter's lock. So
timeouts are exact on an idle machine and longer on a busy one.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

_MAX_LOAD_S = 2.5  # so a hang of six seconds is detected on any machine
QUICK_S = 2.5  # 2 s, and half a second to notice
_NAP_S, _LOOK_S = 0.05, 0.25
_READ_BYTES = 8 * 4096  # of the log: the last minutes
_NAPPING = """
import os, struct, sys, threading, time
gone = threading.Event()
threading.Thread(target=lambda: (sys.stdin.buffer.read(), gone.set()), daemon=True).start()
with open(sys.argv[1], "ab", buffering=0) as log:
    while not gone.is_set():
        log.write(struct.pack("=d", time.monotonic()))
        time.sleep(float(sys.argv[2]))
os.remove(sys.argv[1])  # the tests were killed
os.rmdir(os.path.dirname(sys.argv[1]))
"""
_now_s = time.monotonic  # tests replace the clock of the time module


class Yardstick:
    """A process that sleeps and wakes until it is closed or the tests have ended."""

    def __init__(self) -> None:
        self._log = Path(tempfile.mkdtemp(prefix="veneer-yardstick-")) / "woke"
        self._log.touch()
        self._owner = os.getpid()
        command = [sys.executable, "-I", "-S", "-c", _NAPPING, str(self._log), str(_NAP_S)]
        # In its own session, it does not receive signals to the tests' process group such as Ctrl-C.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def woke_s(self) -> list[float]:
        """Return when it woke, in monotonic seconds, in order.

        Raises:
            RuntimeError: The process has ended.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the yardstick has ended ({self.process.returncode}): timeouts cannot be measured")
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size // 8 * 8 - _READ_BYTES))
            data = log.read()
        found: list[float] = np.frombuffer(data[: len(data) // 8 * 8], "=d").tolist()
        return found

    def late_s(self, since_s: float, until_s: float) -> float:
        """Return for how long in that interval it was overdue."""
        return late_s(self.woke_s(), since_s, until_s)

    def close(self) -> None:
        """End the process, unless called in a fork of the tests' process."""
        if os.getpid() == self._owner:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            self.process.stdin.close()
            shutil.rmtree(self._log.parent, ignore_errors=True)


def late_s(woke_s: list[float], since_s: float, until_s: float) -> float:
    """Return how long a process was overdue in the interval that woke at `woke_s` and slept `_NAP_S` each time."""
    ended_s = [*woke_s[1:], until_s]  # includes the current sleep
    overdue = zip((at_s + _NAP_S for at_s in woke_s), ended_s, strict=True)
    return sum(max(0.0, min(end_s, until_s) - max(due_s, since_s)) for due_s, end_s in overdue) if woke_s else 0.0


class Queue:
    """How long the threads of other processes waited for a CPU: such a process is busy, not hung.

    Linux reports it per thread (`Documentation/scheduler/sched-stats.rst`); elsewhere only the yardstick is used.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._threads_ns = {pid: _queued_ns(pid) for pid in pids}
        self._waited_s = dict.fromkeys(self._threads_ns, 0.0)
        self._looked_s = _now_s()

    def late_s(self, since_s: float, until_s: float) -> float:
        """Return that waiting time, or the delay of the yardstick if it is longer."""
        return max(self.queued_s(until_s), _yardstick.late_s(since_s, until_s))

    def queued_s(self, until_s: float) -> float:
        """Return the waiting time of the process that waited longest, since this object was created.

        Call it regularly: however many threads wait at once, at most the time between two calls counts. So the result
        is below the time for which the process had work to do, and cannot hide a hang.
        """
        spent_s, self._looked_s = until_s - self._looked_s, until_s
        for pid, before_ns in self._threads_ns.items():
            now_ns = _queued_ns(pid)
            more_ns = sum(waited_ns - before_ns.get(thread, 0) for thread, waited_ns in now_ns.items())
            self._waited_s[pid] += min(spent_s, more_ns / 1e9)
            before_ns.update(now_ns)
        return max(self._waited_s.values())


def _queued_ns(pid: int) -> dict[int, int]:
    found: dict[int, int] = {}
    with contextlib.suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):
                found[int(thread.name)] = int((thread / "schedstat").read_text().split()[1])
    return found


class Patience:
    """A timeout that grows with the delay of the machine.

    Args:
        seconds: The timeout on an idle machine.
        late_s: Returns the delay of the machine between two times; the yardstick's by default.
        clock: In the yardstick's seconds.
    """

    def __init__(
        self,
        seconds: float = QUICK_S,
        *,
        late_s: Callable[[float, float], float] | None = None,
        clock: Callable[[], float] = _now_s,
    ) -> None:
        self._seconds, self._late_s, self._clock = seconds, late_s or _late_here_s, clock
        self._since_s = clock()
        self._until_s = self._since_s + seconds
        self._look_s = self._since_s + _LOOK_S

    def lasts(self) -> bool:
        """Whether time is left."""
        now_s = self._clock()
        if now_s >= min(self._look_s, self._until_s):
            self._look_s = now_s + _LOOK_S
            self._until_s = self._since_s + self._seconds + self._late_s(self._since_s, now_s)
        return now_s < self._until_s

    def becomes_true(self, true: Callable[[], object], *, every_s: float = 0.002) -> bool:
        """Wait for the condition; return whether it became true in time."""
        while not true():
            if not self.lasts():
                return False
            time.sleep(every_s)
        return self.lasts()


def _late_here_s(since_s: float, until_s: float) -> float:
    """Return the yardstick's delay, plus some time for the load: sleeping processes are scheduled first."""
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1) - 1 if hasattr(os, "getloadavg") else 0.0
    return _yardstick.late_s(since_s, until_s) + min(_MAX_LOAD_S, max(0.0, 0.5 * crowd))


def ends_soon(thread: threading.Thread) -> bool:
    """Wait for the thread; return whether it ended in time."""
    return Patience().becomes_true(lambda: not thread.is_alive())


_yardstick = Yardstick()
atexit.register(_yardstick.close)
