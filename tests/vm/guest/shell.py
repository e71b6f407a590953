"""Programs, devices and processes of the guest."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from vm.image import EXCHANGE_DIR

EXCHANGE = Path(EXCHANGE_DIR)
_QUERYCAP, _CAPABILITY = 0x80685600, struct.Struct("=16s32s32sIII12x")  # linux/videodev2.h
CAPTURE, OUTPUT = 0x1, 0x2
LONG_S = 300.0  # longer than any wait of a scenario on an idle host


def run(*command: str, timeout_s: float = LONG_S) -> str:
    """Run a program and return its output.

    Raises:
        RuntimeError: It fails; with the end of its output.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-800:]}")
    return done.stdout


def cpu_benchmark_s() -> float:
    """Return the CPU seconds of a fixed computation, the best of three runs, to compare guest and host."""
    took_s = []
    for _ in range(3):
        started_s = time.process_time()
        sum(number * number for number in range(300_000))
        took_s.append(time.process_time() - started_s)
    return min(took_s)


def await_true(condition: Callable[[], object], timeout_s: float, what: str, *, every_s: float = 0.05) -> float:
    """Wait until a condition is true; return the monotonic time in seconds.

    Raises:
        TimeoutError: It was not true in time.
    """
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(every_s)
    return time.monotonic()


def device_caps(path: str) -> int:
    """Return the device's current capability flags (VIDIOC_QUERYCAP); 0 if it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        answer = bytearray(_CAPABILITY.size)
        fcntl.ioctl(descriptor, _QUERYCAP, answer)
        return int(_CAPABILITY.unpack(answer)[5])
    finally:
        os.close(descriptor)


def has_open(pid: int, path: str) -> bool:
    """Return whether a process has the device open."""
    links = Path(f"/proc/{pid}/fd")
    try:
        return any(str(link.readlink()) in (path, f"{path} (deleted)") for link in links.iterdir())
    except OSError:
        return False


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
