"""Running programs in the guest, and asking its devices and processes."""

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
LONG_S = 300.0  # nothing that a scenario waits for takes so long, but on a machine that is busy with other things


def run(*command: str, timeout_s: float = LONG_S) -> str:
    """What the program prints.

    Raises:
        RuntimeError: it fails; with its last words.
    """
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-800:]}")
    return done.stdout


def yardstick_s() -> float:
    """Processor seconds of a fixed piece of work, the best of three: how fast a processor is, here or in the guest."""
    took_s = []
    for _ in range(3):
        started_s = time.process_time()
        sum(number * number for number in range(300_000))
        took_s.append(time.process_time() - started_s)
    return min(took_s)


def await_true(is_so: Callable[[], object], timeout_s: float, what: str, *, every_s: float = 0.05) -> float:
    """Wait until something is so; returns the monotonic second at which it was seen.

    Raises:
        TimeoutError: it never was.
    """
    until_s = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > until_s:
            raise TimeoutError(f"not within {timeout_s:.0f} s: {what}")
        time.sleep(every_s)
    return time.monotonic()


def device_caps(path: str) -> int:
    """What the device says it can do just now, as VIDIOC_QUERYCAP has it; 0 where it does not open."""
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
    """Whether the process has the device open."""
    links = Path(f"/proc/{pid}/fd")
    try:
        return any(str(link.readlink()) in (path, f"{path} (deleted)") for link in links.iterdir())
    except OSError:
        return False


def processor_s(pid: int) -> float:
    """Processor seconds that the process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
