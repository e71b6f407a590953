"""`veneer apply --jobs N`: processes that share nothing but the manifest, which the calling process writes.

A process that dies in a file is replaced, and the file tried again; after the third time it is quarantined.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections import deque
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from engines.errors import VeneerError
from engines.runtime.base import CORES_VARIABLE, keep_to_cores, usable_cores
from live.batch.batch_progress import BatchProgress
from live.batch.file_work import FileWork, FolderGoneError, Item, WorkOrder, check_folders, with_notes
from live.batch.job_count import JobCount
from live.batch.job_server import environment, job_context
from live.batch.manifest import Record
from live.session import say

MAX_TRIES = 3
_POLL_S = 0.5
_STOP_S = 5.0
_FRAMES_INTERVAL_S = 0.2  # between two messages of a process about one file


class _Job:
    """One worker process, and the file that it does."""

    def __init__(self, number: int, order: WorkOrder, slot: int, slots: int) -> None:
        self.name, self.slot, self.tries = f"{number}: ", slot, 0
        self.item: Item | None = None
        context, cores = job_context(), max(1, usable_cores() // slots)
        self.connection, other = context.Pipe()
        with environment({CORES_VARIABLE: str(cores), "OMP_NUM_THREADS": str(cores)}):
            arguments = (other, order, dict(os.environ), slot, slots)
            self.process = context.Process(target=_serve, args=arguments, daemon=True)
            self.process.start()
        other.close()

    def do(self, item: Item, tries: int) -> None:
        """Send a file to the process."""
        self.item, self.tries = item, tries
        with contextlib.suppress(OSError):  # it has just died, which `run_in_processes` sees
            self.connection.send(item)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.join(_STOP_S)
        if self.process.is_alive():
            self.process.kill()
        self.connection.close()


class JobProcesses:
    """Runs files in processes.

    Args:
        order: See `WorkOrder`; with a staging folder.
        jobs: Number of processes; None to find out how many are fastest.
    """

    def __init__(self, order: WorkOrder, jobs: int | None, progress: BatchProgress) -> None:
        self._order, self._progress = order, progress
        self._count = JobCount(jobs, usable_cores())
        self._slots = jobs or usable_cores()
        self._jobs: list[_Job] = []
        self._started = 0

    def run(self, items: deque[Item]) -> Iterator[Record]:
        """Do the files and yield their records in the order in which they are finished; see `Runner`."""
        again = deque[tuple[Item, int]]()
        try:
            while items or again or any(job.item for job in self._jobs):
                self._adjust(len(items) + len(again))
                for job in self._jobs:
                    if job.item is None and (items or again):
                        job.do(*(again.popleft() if again else (items.popleft(), 1)))
                for connection in wait([job.connection for job in self._jobs], _POLL_S):
                    job = next(one for one in self._jobs if one.connection is connection)
                    if (record := self._received(job, again)) is not None:
                        self._count.finished(record.frames)
                        yield record
        finally:
            for job in self._jobs:
                job.stop()

    def _adjust(self, waiting: int) -> None:
        """Start or end processes, so that there are as many as are useful."""
        wanted = min(self._count.wanted(time.monotonic()), waiting + sum(job.item is not None for job in self._jobs))
        while len(self._jobs) < wanted:
            self._started += 1
            slot = next(slot for slot in itertools.count() if all(job.slot != slot for job in self._jobs))
            self._jobs.append(_Job(self._started, self._order, slot, self._slots))
        for job in [job for job in self._jobs if job.item is None][: max(0, len(self._jobs) - wanted)]:
            self._jobs.remove(job)
            job.stop()

    def _received(self, job: _Job, again: deque[tuple[Item, int]]) -> Record | None:
        """Handle a message of a process, or its end; return the record of a file that is finished."""
        item = job.item
        assert item is not None
        try:
            message: Any = job.connection.recv()
        except (EOFError, OSError):
            self._jobs.remove(job)
            job.stop()
            if job.tries < MAX_TRIES:
                again.append((item, job.tries + 1))
                return None
            return self._finished(job, item, _quarantined(item, self._order, job.process.exitcode, job.tries))
        if isinstance(message, Record):
            job.item = None
            return self._finished(job, item, message)
        if isinstance(message, FolderGoneError):
            say(f"{message}; waiting for it")
            wait_for_folders(self._order)
            job.do(item, job.tries)
        elif isinstance(message, BaseException):
            raise message
        else:
            self._progress.frames(job.name, item, *message)
        return None

    def _finished(self, job: _Job, item: Item, record: Record) -> Record:
        self._progress.finished(job.name, item, record)
        return record


def wait_for_folders(order: WorkOrder) -> bool:
    """Wait until the folders of a run are back; return whether one was gone."""
    was_gone = False
    while True:
        with contextlib.suppress(FolderGoneError):
            check_folders(order)
            return was_gone
        was_gone = True
        time.sleep(_POLL_S)


def _quarantined(item: Item, order: WorkOrder, code: int | None, tries: int) -> Record:
    ended = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    error = f"the process that did it ended with {ended}"
    return Record(item.path, "quarantined", "", item.input, recipe=order.recipe, error=error, tries=tries)


def _serve(connection: Connection, order: WorkOrder, variables: dict[str, str], slot: int, slots: int) -> None:
    """Do files in this process until the other end is closed, with the environment variables of the calling one.

    Args:
        slot: Number of the part of the cores that it uses.
        slots: Number of parts.
    """
    os.environ.clear()  # they are those of the server
    os.environ.update(variables)
    keep_to_cores(slot, slots)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the calling one ends the others
    work: FileWork | None = None
    said_s = 0.0

    def on_frame(done: int, total: int | None) -> None:
        nonlocal said_s
        if time.monotonic() - said_s >= _FRAMES_INTERVAL_S:
            said_s = time.monotonic()
            connection.send((done, total))

    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            return
        try:
            work = work or FileWork(order)
            answer: Any = with_notes(work, item, on_frame)
        except VeneerError as error:
            answer = error
        try:
            connection.send(answer)
        except OSError:  # the calling process is gone
            return
