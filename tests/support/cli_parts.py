"""The `veneer` command in processes of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

HANG_S = 120  # far beyond what anything here takes


def veneer(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "live", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANG_S,
        env={**os.environ, **(env or {})},
    )


@contextlib.contextmanager
def started(*arguments: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A running program; killed at the end of the block if it still runs."""
    run = subprocess.Popen(
        [sys.executable, "-m", "live", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(env or {})},
    )
    with run:
        try:
            yield run
        finally:
            run.kill()


def until(found: Any, what: str) -> Any:
    """Ask again until something is found."""
    give_up_s = time.monotonic() + HANG_S
    while time.monotonic() < give_up_s:
        result = found()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"never came: {what}")
