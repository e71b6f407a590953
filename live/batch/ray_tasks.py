"""What a node of a Ray cluster does for `live.batch.ray_batch`: one file, with its engines opened once a process."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from engines.runtime.base import CORES_VARIABLE, keep_to_cores, usable_cores
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

    record = _thread(order.node_cores.get(node, 0), node).submit(lambda: with_notes(_work(order), item, on_frame))
    while True:
        yield FramesDone(worker, node, *frames)
        if wait([record], interval_s).done:
            break
    yield replace(record.result(), node=node)


def probe(order: WorkOrder) -> dict[str, tuple[str, str]]:
    """Return the runtime and the precision of each style of the look on this node."""
    import ray

    node = ray.get_runtime_context().get_node_id()
    return _thread(order.node_cores.get(node, 0), node).submit(lambda: _work(order).precisions()).result()


@functools.cache
def _thread(node_cores: int, node: str) -> ThreadPoolExecutor:
    """Return the one thread that does all files of this process, because the tracker must be called from one thread.

    It is kept to a core of its own if all cores of the machine are the node's.
    """
    os.environ[CORES_VARIABLE] = "1"
    thread = ThreadPoolExecutor(1)
    if sys.platform == "linux" and node_cores == usable_cores():
        thread.submit(_take_core, node)
    return thread


def _take_core(node: str) -> None:
    """Keep this thread to a core that no other process of the node has taken; an abstract socket is its lock."""
    cores = usable_cores()
    for core in range(cores):
        taken = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(OSError):
            taken.bind(f"\0veneer {node} {core}")
            _taken.append(taken)  # until this process ends, however it does
            keep_to_cores(core, cores)
            return
        taken.close()


_taken: list[socket.socket] = []


_works: list[FileWork] = []


def _work(order: WorkOrder) -> FileWork:
    """Return the work of this process, with everything loaded for the files before."""
    if not (_works and _works[0].takes(order)):
        while _works:
            _works.pop().close()
        _works.append(FileWork(order))
    return _works[0]
