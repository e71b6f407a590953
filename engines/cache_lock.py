"""One process builds an engine, the others wait for it: a file lock that no dead or stuck holder keeps for ever."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def held(lock_file: Path, *, say: Callable[[str], None], wait_s: float) -> Iterator[bool]:
    """Hold the lock while the block runs.

    The system frees the lock of a process that died. A holder that is alive but stuck is waited for and then passed
    over: two builds of one engine waste time, but harm nothing, since entries are put in place in one step.

    Args:
        lock_file: made if it is not there; it stays.
        say: told once if there is somebody to wait for, and once if the wait was given up.
        wait_s: the longest wait.

    Yields:
        Whether the lock is held; False after the time-out, and on disks that cannot lock or be written to.
    """
    with contextlib.ExitStack() as stack:
        yield _taken(lock_file, stack, say, wait_s)


def _taken(lock_file: Path, stack: contextlib.ExitStack, say: Callable[[str], None], wait_s: float) -> bool:
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        for timeout_s in (0.0, wait_s):
            with contextlib.suppress(Timeout), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # filelock says when a network disk has no locks of its own
                stack.enter_context(lock.acquire(timeout=timeout_s))
                return True
            if timeout_s < wait_s:
                say("another process is building this engine: waiting for it")
    except (OSError, NotImplementedError):
        return False
    say(f"the other process has not finished in {wait_s:.0f} s: building it here as well")
    return False
