"""What a node of a Ray cluster does for `live.batch.ray_batch`: one file, with its engines opened once a process."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from engines.runtime.base import CORES_VARIABLE
from live.batch.file_work import FileWork, Item, WorkOrder, with_notes
from live.batch.manifest import Record


@dataclass(frozen=True, slots=True)
class FramesDone:
    """How much of a file a worker has done: its name, the node, the frames, and their number if the file states it."""

    worker: str
    node: str
    done: int
    total: int | None


def do_file(order: WorkOrder, item: Item, interval_s: float) -> Iterator[FramesDone | Record]:
    """Do one file; yield the frames that are done, every `interval_s` and at the start, and then the record."""
    import ray

    node, worker = ray.get_runtime_context().get_node_id(), f"{platform.node()} {os.getpid()}: "
    frames: tuple[int, int | None] = 0, None

    def on_frame(done: int, total: int | None) -> None:
        nonlocal frames
        frames = done, total

    record = _thread().submit(lambda: with_notes(_work(order), item, on_frame))
    while True:
        yield FramesDone(worker, node, *frames)
        if wait([record], interval_s).done:
            break
    yield replace(record.result(), node=node)


def probe(order: WorkOrder) -> dict[str, tuple[str, str]]:
    """Return the runtime and the precision of each style of the look on this node."""
    return _thread().submit(lambda: _work(order).precisions()).result()


@functools.cache
def _thread() -> ThreadPoolExecutor:
    """Return the one thread that does all files of this process, as the tracker wants it."""
    os.environ[CORES_VARIABLE] = "1"
    return ThreadPoolExecutor(1)


_works: list[FileWork] = []


def _work(order: WorkOrder) -> FileWork:
    """Return the work of this process, with everything loaded for the files before."""
    if not (_works and _works[0].takes(order)):
        while _works:
            _works.pop().close()
        _works.append(FileWork(order))
    return _works[0]
