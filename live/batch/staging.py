"""The folder beside the output in which other processes write; what is complete is renamed into the output."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from live.batch.file_work import WorkOrder
from live.batch.kept_segments import PREFIX, finished_in
from live.session import say

_SUFFIX = ".veneer.parts"


@contextlib.contextmanager
def staged(order: WorkOrder, source: Path, output: Path) -> Iterator[WorkOrder]:
    """Give an order for several processes a staging folder beside the output, which is deleted at the end of the block.

    Folders of runs on this machine that were killed are deleted too, but the finished segments of films are kept: of
    those runs, and of this one if it is interrupted.
    """
    if order.options.jobs == 1 and order.options.cluster is None:
        yield order
        return
    output = output.absolute()
    parts = output.with_name(f"{output.name}{_SUFFIX}")
    staging = parts / f"{platform.node()}-{os.getpid()}"
    staging.mkdir(parents=True, exist_ok=True)
    try:
        for other in parts.iterdir():
            host, _, pid = other.name.rpartition("-")
            if host == platform.node() and not _is_running(int(pid)):
                _take_over(other, None if order.options.again else staging)
        yield replace(order, staging=staging, folders=(source, order.output))
    except BaseException:
        _keep_segments(staging)
        raise
    else:
        shutil.rmtree(staging, ignore_errors=True)
    finally:
        with contextlib.suppress(OSError):  # another run uses it
            parts.rmdir()


def _take_over(other: Path, staging: Path | None) -> None:
    """Delete the folder of a run that has ended; its segments are moved to `staging` first, if it is given."""
    if staging is not None:
        for segments in other.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):  # another run has just taken it, or it is there already
                segments.rename(staging / segments.name)
    shutil.rmtree(other, ignore_errors=True)


def _keep_segments(staging: Path) -> None:
    """Delete a staging folder except the finished segments of films, and say how many those are."""
    count = 0
    with contextlib.suppress(OSError):  # the drive may be gone
        for path in staging.iterdir():
            finished = finished_in(path) if path.name.startswith(PREFIX) else 0
            count += finished
            if not finished:
                shutil.rmtree(path, ignore_errors=True)
        staging.rmdir()
    if count:
        say(f"segments of films that are finished and kept: {count}; the same command reuses them")


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # os.kill would end it
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
