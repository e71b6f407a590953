"""How long a test waits before it says that the program hangs: 2 s, and what the machine itself was late meanwhile.

How late that was is told by a yardstick: a process of its own that naps, and notes when it woke. It is late where the
machine stands still for seconds, as shared ones do, and on time where only the program hangs, be it with the
interpreter's lock in its hands. So a quiet machine is judged sharply, and a busy one by what it could do.
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

_MOST_CROWDED_S = 2.5  # a hang of six seconds is one on any machine
QUICK_S = 2.5  # "within 2 s", and half a second for looking
_NAP_S, _LOOK_S = 0.05, 0.25
_READ_BYTES = 8 * 4096  # the last minutes
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
_now_s = time.monotonic  # tests set the clock that others ask


class Yardstick:
    """Naps beside the tests until it is closed, or they are gone."""

    def __init__(self) -> None:
        self._log = Path(tempfile.mkdtemp(prefix="veneer-yardstick-")) / "woke"
        self._log.touch()
        self._owner = os.getpid()
        command = [sys.executable, "-I", "-S", "-c", _NAPPING, str(self._log), str(_NAP_S)]
        # A session of its own: what is sent to the tests' group, as Ctrl-C is, is not for it.
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)

    def woke_s(self) -> list[float]:
        """When it woke, in monotonic seconds, the latest last.

        Raises:
            RuntimeError: it naps no more.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"the yardstick has ended ({self.process.returncode}): nothing can be timed")
        with self._log.open("rb") as log:
            log.seek(max(0, self._log.stat().st_size // 8 * 8 - _READ_BYTES))
            told = log.read()
        found: list[float] = np.frombuffer(told[: len(told) // 8 * 8], "=d").tolist()
        return found

    def late_s(self, since_s: float, until_s: float) -> float:
        """For how much of that time it should have been awake already."""
        return late_s(self.woke_s(), since_s, until_s)

    def close(self) -> None:
        """End it; a fork of the tests' process leaves it alone."""
        if os.getpid() == self._owner:
            self.process.kill()
            self.process.wait()
            assert self.process.stdin is not None
            self.process.stdin.close()
            shutil.rmtree(self._log.parent, ignore_errors=True)


def late_s(woke_s: list[float], since_s: float, until_s: float) -> float:
    """How long between the two times somebody overslept who woke at those, and meant to nap `_NAP_S` after each."""
    ended_s = [*woke_s[1:], until_s]  # the nap that he is in counts, too
    overslept = zip((at_s + _NAP_S for at_s in woke_s), ended_s, strict=True)
    return sum(max(0.0, min(end_s, until_s) - max(due_s, since_s)) for due_s, end_s in overslept) if woke_s else 0.0


class Queue:
    """How long the threads of other processes stood in line for a processor: a program that does is busy, not hung.

    Linux tells it of each thread (`Documentation/scheduler/sched-stats.rst`); elsewhere, only the yardstick does.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._threads_ns = {pid: _queued_ns(pid) for pid in pids}
        self._waited_s = dict.fromkeys(self._threads_ns, 0.0)
        self._looked_s = _now_s()

    def late_s(self, since_s: float, until_s: float) -> float:
        """What they stood there, or what the yardstick was late, where that is more."""
        return max(self.queued_s(until_s), _yardstick.late_s(since_s, until_s))

    def queued_s(self, until_s: float) -> float:
        """Of the process that stood there longest, since this object was made.

        To be asked every now and then: however many threads wait at once, no more than the time between two looks
        counts. So what counts is less than the time for which the process had work to do, and no hang is hidden by it.
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
    """Time for the program; to be asked again and again whether it lasts.

    Args:
        seconds: on a machine that is never late.
        late_s: how late the machine was between two times; another one stands in for the yardstick.
        clock: in the yardstick's seconds.
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
        """Whether there is time left."""
        now_s = self._clock()
        if now_s >= min(self._look_s, self._until_s):
            self._look_s = now_s + _LOOK_S
            self._until_s = self._since_s + self._seconds + self._late_s(self._since_s, now_s)
        return now_s < self._until_s

    def sees(self, true: Callable[[], object], *, every_s: float = 0.002) -> bool:
        """Wait until that is so; whether it came in time. Late is late: what is true by then does not count."""
        while not true():
            if not self.lasts():
                return False
            time.sleep(every_s)
        return self.lasts()


def _late_here_s(since_s: float, until_s: float) -> float:
    """What the yardstick says; and who naps is served at once where many work, who works waits: a little for each."""
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1) - 1 if hasattr(os, "getloadavg") else 0.0
    return _yardstick.late_s(since_s, until_s) + min(_MOST_CROWDED_S, max(0.0, 0.5 * crowd))


def ends_soon(thread: threading.Thread) -> bool:
    """Whether it ends in time; waits for that."""
    return Patience().sees(lambda: not thread.is_alive())


_yardstick = Yardstick()
atexit.register(_yardstick.close)
