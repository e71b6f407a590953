"""Support for tests of the benchmark command lines."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.common.arguments import run_main


def code_of(prog: str, main: Callable[[], int | None]) -> int:
    """Run a benchmark in this process with the arguments in `sys.argv`, and return its exit code."""
    try:
        return run_main(prog, main)
    except SystemExit as end:
        return int(end.code or 0)
