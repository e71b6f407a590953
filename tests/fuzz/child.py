"""One fuzz target in its own process: `python -m tests.fuzz.child MODULE:NAME FOLDER [flags]`.

libFuzzer ends the process at the first find, timeout or excess of memory, and writes the input into the folder.
`--once FILE SECONDS` runs one input without libFuzzer: exit code 1 if it takes more processor time.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from pathlib import Path

import atheris

from tests.fuzz.target import Target, offer

_WATCHED = ["engines", "live", "tomllib", "json", "tests.fuzz.planted"]


def main() -> None:
    """Fuzz the target."""
    where, folder_text, *flags = sys.argv[1:]
    if flags[0] != "--once":
        _run_in_a_fork()
    module, name = where.split(":")
    folder = Path(folder_text)
    os.environ["VENEER_HOME"] = str(folder / "home")
    with atheris.instrument_imports(include=_WATCHED):
        target: Target = getattr(importlib.import_module(module), name)
        feed = target.prepare(folder)
        for seed in target.seeds():  # imports and one-time work must not count as a slow input
            offer(feed, seed)
    if flags[0] == "--once":
        start_s = time.process_time()
        offer(feed, Path(flags[1]).read_bytes())
        sys.exit(time.process_time() - start_s > float(flags[2]))
    change = target.change

    def mutate(data: bytes, max_bytes: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if change is not None and rng.random() < 0.5:
            mutated = change(data, rng)
            if len(mutated) <= max_bytes:
                return mutated
        return bytes(atheris.Mutate(data, max_bytes))

    atheris.Setup(
        [sys.argv[0], *flags],
        lambda data: offer(feed, data),
        custom_mutator=None if change is None else mutate,
        enable_python_coverage=True,
    )
    atheris.Fuzz()


def _run_in_a_fork() -> None:
    """Continue in a fork, and exit with its exit code.

    libFuzzer checks the peak memory of the process, and Linux passes the peak of the parent on to a started program:
    that of tests with 2 GB would be attributed to the first input.
    """
    if pid := os.fork():
        os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


if __name__ == "__main__":
    main()
