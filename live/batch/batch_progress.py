"""One progress display for all workers: files, time left from the frames left, and a line for each worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from live.batch.file_work import Item
from live.batch.manifest import Record
from live.picture_files.picture_reader import PICTURE_SUFFIXES

_MIN_ELAPSED_S = 1.0
_MOST_LINES = 16  # of workers: a thousand nodes do not fit a screen


class FramesLeft:
    """Estimates the number of frames left: a picture has one, a film as many a byte as those that are done."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.pictures = self.film_bytes = self._done_frames = self._done_bytes = 0
        self.add(items)

    def add(self, items: Sequence[Item]) -> None:
        """Count files that are to be done, or done again."""
        self.pictures += sum(_is_picture(item) for item in items)
        self.film_bytes += sum(item.input[0] for item in items if not _is_picture(item))

    def finished(self, item: Item, frames: int) -> None:
        """Count a file that is done."""
        if _is_picture(item):
            self.pictures -= 1
        else:
            self.film_bytes -= item.input[0]
            self._done_frames += frames
            self._done_bytes += item.input[0]

    def frames(self) -> float | None:
        """Return the number; None as long as there are films and none is done."""
        if not self.film_bytes:
            return float(self.pictures)
        if not self._done_frames:
            return None
        return self.pictures + self.film_bytes * self._done_frames / self._done_bytes


class BatchProgress:
    """The progress display of a run, on standard error.

    Args:
        name: Of the folder.
        items: Files to do.
        shown: Whether to show anything.
    """

    def __init__(self, name: str, items: Sequence[Item], *, shown: bool = True) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._display = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._total = len(items)
        self._all = self._display.add_task(name, total=self._total, left="")
        self._left = FramesLeft(items)
        self._workers: dict[str, TaskID] = {}
        self._running: dict[str, int] = {}  # frames of the unfinished file of each worker
        self._frames, self._started_s = 0, time.monotonic()

    def __enter__(self) -> BatchProgress:
        self._display.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._display.stop()

    def frames(self, worker: str, item: Item, done: int, total: int | None) -> None:
        """Show how much of a file is done."""
        self._running[worker] = done
        if worker not in self._workers and len(self._workers) < _MOST_LINES:
            self._workers[worker] = self._display.add_task(worker, total=None, left="")
        if worker in self._workers:
            name = f"{worker}{item.name}"
            self._display.update(self._workers[worker], description=name, completed=done, total=total)
        self._display.update(self._all, left=self.time_left())

    def add(self, items: Sequence[Item]) -> None:
        """Show more files that are to be done."""
        self._total += len(items)
        self._left.add(items)
        self._display.update(self._all, total=self._total)

    def finished(self, worker: str, item: Item, record: Record) -> None:
        """Show that a file is done, or has failed."""
        self._running.pop(worker, None)
        if worker in self._workers:
            self._display.update(self._workers[worker], completed=record.frames, total=record.frames)
        self._frames += record.frames
        self._left.finished(item, record.frames)
        self._display.update(self._all, advance=1, left=self.time_left())

    def time_left(self) -> str:
        """Return the time left as text, from the frames left and the frames a second so far."""
        left, elapsed_s = self._left.frames(), time.monotonic() - self._started_s
        done = self._frames + sum(self._running.values())
        if left is None or not done or elapsed_s < _MIN_ELAPSED_S:
            return ""
        seconds = round(max(0.0, left - sum(self._running.values())) * elapsed_s / done)
        return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"


def _is_picture(item: Item) -> bool:
    return item.source.suffix.lower() in PICTURE_SUFFIXES
