"""How worker processes start: on Linux they are forked from a server that imports once what all of them need.

The server has one thread and does nothing else, so a fork copies no lock that is held.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Iterator
from multiprocessing import forkserver
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

_IMPORTED = "live.batch.job_imports"


def job_context() -> SpawnContext | ForkServerContext:
    """Return the context in which worker processes are started."""
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    start_server()
    return multiprocessing.get_context("forkserver")


def start_server() -> None:
    """Start the server, if there is none; it imports while the calling process goes on."""
    if sys.platform == "linux":
        multiprocessing.get_context("forkserver").set_forkserver_preload([_IMPORTED])
        with environment({"OMP_NUM_THREADS": "1"}):  # else NumPy's library starts threads
            forkserver.ensure_running()


@contextlib.contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for a process that is started in the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
