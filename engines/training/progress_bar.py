"""Progress bars on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.training.progress import Watch


def _progress(console: Console, unit: str) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


@contextmanager
def counting_bar(console: Console, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar; call the yielded function with the total after each item."""
    with _progress(console, unit) as progress:
        task = progress.add_task(what, total=None)
        yield lambda total: progress.update(task, total=total, advance=1)


@contextmanager
def training_bar(console: Console, what: str) -> Iterator[Watch]:
    """Show a bar of training steps; the yielded callbacks advance it and print lines above it."""
    with _progress(console, "steps") as progress:
        task = progress.add_task(what, total=None)
        yield Watch(
            lambda step, steps: progress.update(task, total=steps, completed=step),
            lambda step: progress.update(task, completed=step),
            lambda line: progress.console.print(line),
        )
