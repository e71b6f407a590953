"""One process builds an engine, the others wait for it: a file lock that no dead or stuck holder keeps for ever."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout


@contextlib.contextmanager
def held(
    lock_file: Path,
    *,
    say: Callable[[str], None],
    wait_s: float,
    verb: str = "building",
    what: str = "this engine",
) -> Iterator[bool]:
    """Hold the lock while the block runs.

    The system frees the lock of a process that died. A holder that is alive but stuck is waited for and then passed
    over: two builds of one engine waste time, but harm nothing, since entries are put in place in one step.

    Args:
        lock_file: made if it is not there; it stays.
        say: told once if there is somebody to wait for, and once if the wait was given up.
        wait_s: the longest wait.
        verb: what whoever holds it does, as in "building".
        what: to what, as in "this engine".

    Yields:
        Whether the lock is held; False after the time-out, and on disks that cannot lock or be written to.
    """
    with contextlib.ExitStack() as stack:
        yield _taken(lock_file, stack, partial(_tell, say, verb, what), wait_s)


def _tell(say: Callable[[str], None], verb: str, what: str, waited_s: float | None) -> None:
    if waited_s is None:
        say(f"another process is {verb} {what}: waiting for it")
    else:
        say(f"the other process has not finished in {waited_s:.0f} s: {verb} it here as well")


def _taken(lock_file: Path, stack: contextlib.ExitStack, tell: Callable[[float | None], None], wait_s: float) -> bool:
    try:
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_file)
        for timeout_s in (0.0, wait_s):
            with contextlib.suppress(Timeout), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # filelock says when a network disk has no locks of its own
                stack.enter_context(lock.acquire(timeout=timeout_s))
                return True
            if timeout_s < wait_s:
                tell(None)
    except (OSError, NotImplementedError):
        return False
    tell(wait_s)
    return False
