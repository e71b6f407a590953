"""A line on the terminal that says what is going on, below what is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Takes the words to show while the block runs, on stderr; nothing is shown where that is no terminal.

    What is printed meanwhile goes where it would go without: rich's own status sends stdout to the terminal, too, where
    it was meant for a file.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")
    console, own = Console(stderr=True), sys.stdout.isatty()
    with Live(spinner, console=console, transient=True, refresh_per_second=12.5, redirect_stdout=own):
        yield lambda words: spinner.update(text=Text(words))
