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
    """Hold the lock while the block runs; yield whether it is held: not after a timeout, or without locks on the disk.

    The operating system releases the lock of a process that died. If a live holder does not release it in time, the
    block runs without the lock: a second build costs time but is harmless, because entries are renamed into place.

    `say` receives one line when waiting begins, and one if the wait times out; `verb` and `what` are what the holder
    does, as in "building", "this engine".
    """
    with contextlib.ExitStack() as stack:
        held = False
        try:
            lock_file.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # filelock warns about network disks without locks
                lock = FileLock(lock_file)
                try:
                    stack.enter_context(lock.acquire(timeout=0))
                except Timeout:
                    say(f"another process is {verb} {what}: waiting for it")
                    stack.enter_context(lock.acquire(timeout=wait_s))
            held = True
        except Timeout:
            say(f"the other process has not finished in {wait_s:.0f} s: {verb} it here as well")
        except (OSError, NotImplementedError):
            pass
        yield held
