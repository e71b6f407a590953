"""For tests of the benchmarks' command lines."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.common.arguments import ended


def code_of(prog: str, main: Callable[[], int | None]) -> int:
    """The exit code of `python -m benchmarks.PROG`, in this process; the words are in `sys.argv`."""
    try:
        return ended(prog, main)
    except SystemExit as end:
        return int(end.code or 0)
