"""A file lock between processes: one builds, the others wait for it. A dead or stuck holder does not block forever."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def hold_lock(
    lock_file: Path,
    *,
    say: Callable[[str], None],
    wait_s: float,
    verb: str = "building",
    what: str = "this engine",
) -> Iterator[bool]:
    """Hold the lock while the block runs.

    The operating system releases the lock of a process that died. If a live holder does not release it in time, the
    block runs without the lock: a second build costs time but is harmless, because entries are renamed into place.

    Args:
        lock_file: Created if missing, and kept.
        say: Receives one line when waiting begins, and one if the wait times out.
        wait_s: Timeout in seconds.
        verb: What the holder does, for the messages.
        what: What it does that to.

    Yields:
        Whether the lock is held: False after a timeout, or if the disk supports no locks or is read-only.
    """
    with contextlib.ExitStack() as stack:
        yield _acquire(lock_file, stack, say, wait_s, verb, what)


def _acquire(
    lock_file: Path, stack: contextlib.ExitStack, say: Callable[[str], None], wait_s: float, verb: str, what: str
) -> bool:
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        for timeout_s in (0.0, wait_s):
            with contextlib.suppress(Timeout), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # filelock warns about network disks without locks
                stack.enter_context(lock.acquire(timeout=timeout_s))
                return True
            if timeout_s < wait_s:
                say(f"another process is {verb} {what}: waiting for it")
    except (OSError, NotImplementedError):
        return False
    say(f"the other process has not finished in {wait_s:.0f} s: {verb} it here as well")
    return False
