"""One target under libFuzzer, in a process of its own: `python -m tests.fuzz.child MODULE:NAME FOLDER [flags]`.

libFuzzer ends the process at the first find, at an input that takes too long, and where memory runs away; it writes
the input into the folder then. `--once FILE SECONDS` tries one input without it: exit code 1 where it takes more of
the processor's time than that.
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
    """Feed it."""
    where, folder_text, *flags = sys.argv[1:]
    if flags[0] != "--once":
        _with_a_peak_of_its_own()
    module, name = where.split(":")
    folder = Path(folder_text)
    os.environ["VENEER_HOME"] = str(folder / "home")
    with atheris.instrument_imports(include=_WATCHED):
        target: Target = getattr(importlib.import_module(module), name)
        feed = target.prepare(folder)
        for seed in target.seeds():  # what is imported or built only once is no slow input
            offer(feed, seed)
    if flags[0] == "--once":
        began_s = time.process_time()
        offer(feed, Path(flags[1]).read_bytes())
        sys.exit(time.process_time() - began_s > float(flags[2]))
    change = target.change

    def changed(data: bytes, most_bytes: int, seed: int) -> bytes:
        chance = random.Random(seed)
        if change is not None and chance.random() < 0.5:
            found = change(data, chance)
            if len(found) <= most_bytes:
                return found
        return bytes(atheris.Mutate(data, most_bytes))

    atheris.Setup(
        [sys.argv[0], *flags],
        lambda data: offer(feed, data),
        custom_mutator=None if change is None else changed,
        enable_python_coverage=True,
    )
    atheris.Fuzz()


def _with_a_peak_of_its_own() -> None:
    """Go on in a fork, and leave with what it leaves.

    libFuzzer judges the peak of the memory, and Linux hands a process's peak on to the program that it starts: of
    tests that took 2 GB themselves it would say that the first input took them.
    """
    if pid := os.fork():
        os._exit(abs(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))


if __name__ == "__main__":
    main()
