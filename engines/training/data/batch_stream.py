"""Batches in the order of the steps, prepared ahead by worker processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset

from engines.errors import EngineError, VeneerError

if TYPE_CHECKING:
    from engines.training.method import BatchSource

_MAX_DEFAULT_WORKERS = 8


class BatchStream:
    """An iterator over the batches of steps `first` to `last` (exclusive). Close it to stop the workers.

    Args:
        workers: Number of worker processes; 0 prepares batches in this process. None: half of the processors, 1 to 8.
    """

    def __init__(self, source: BatchSource, first: int, last: int, *, workers: int | None) -> None:
        if workers is None:
            workers = max(1, min(_MAX_DEFAULT_WORKERS, (os.cpu_count() or 1) // 2))
        loader = DataLoader(
            _Items(source), batch_size=None, sampler=range(first, last), collate_fn=_unchanged, num_workers=workers,
            worker_init_fn=_start_worker, generator=torch.Generator(),  # not the global one: a loader draws from it
            multiprocessing_context="spawn" if workers else None, prefetch_factor=2 if workers else None,
        )  # fmt: skip
        with _interrupts_blocked(workers):
            self._batches: Iterator[Any] | None = iter(loader)

    def get(self) -> Any:
        """Return the next step's batch. Raises VeneerError if it cannot be made, or a worker process died."""
        assert self._batches is not None
        try:
            batch = next(self._batches)
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            got, do = "a process that prepares batches ended (out of memory?)", "use fewer --workers, or 0"
            raise EngineError("training", got, do) from error
        if isinstance(batch, VeneerError):
            raise batch
        return batch

    def close(self) -> None:
        """Stop the workers and wait for them."""
        self._batches = None


class _Items(Dataset[Any]):
    """Returns errors instead of raising them: a DataLoader would wrap them in a traceback as text."""

    def __init__(self, source: BatchSource) -> None:
        self._source = source

    def __getitem__(self, step: int) -> Any:
        try:
            return self._source[step]
        except VeneerError as error:
            return error


def _unchanged(batch: Any) -> Any:
    return batch


def _start_worker(_number: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the trainer handles it
    cv2.setNumThreads(1)


@contextmanager
def _interrupts_blocked(workers: int) -> Iterator[None]:
    """Start processes with SIGINT blocked, so that Ctrl-C cannot end one that is still importing."""
    if not workers or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it unblocks SIGINT when it starts
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)
