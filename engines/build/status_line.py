"""A status line on the terminal, below the printed output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def status_line() -> Iterator[Callable[[str], None]]:
    """Yield a function that sets the status text; it is shown on standard error while the block runs.

    Nothing is shown if standard error is not a terminal. Standard output is redirected only if it is a terminal:
    rich's own status would send it to the terminal even if it goes to a file.
    """
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")
    console, redirect = Console(stderr=True), sys.stdout.isatty()
    with Live(spinner, console=console, transient=True, refresh_per_second=12.5, redirect_stdout=redirect):
        yield lambda text: spinner.update(text=Text(text))
