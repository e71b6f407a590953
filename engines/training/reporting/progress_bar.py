"""Progress bars on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from engines.training.progress import StoppedError, Watch


def stderr_console() -> Console:
    """Return a console on stderr that neither wraps nor colours its lines."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def progress_bars(console: Console, unit: str = "") -> Progress:
    """Return bars that show what is done, of how much, and the time left; they disappear at the end."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit))
    return Progress(*columns, TimeRemainingColumn(), console=console, transient=True)


@contextmanager
def counting_bar(console: Console, what: str, unit: str) -> Iterator[Callable[[int], None]]:
    """Show a bar; call the yielded function with the total after each item."""
    with progress_bars(console, unit) as progress:
        task = progress.add_task(what, total=None)
        yield lambda total: progress.update(task, total=total, advance=1)


@contextmanager
def training_bar(console: Console, what: str) -> Iterator[Watch]:
    """Show a bar of training steps; the yielded callbacks advance it and print lines above it.

    Raises KeyboardInterrupt if the training was stopped; how to continue was printed.
    """
    with progress_bars(console, "steps") as progress:
        task = progress.add_task(what, total=None)
        try:
            yield Watch(
                lambda step, steps: progress.update(task, total=steps, completed=step),
                lambda step: progress.update(task, completed=step),
                progress.console.print,
            )
        except StoppedError as stopped:
            console.print(f"{stopped.asked}: {stopped.got} - continue with the same command and --resume")
            raise KeyboardInterrupt from stopped
