"""The long fuzz run: `python -m tests.fuzz --inputs 100000`, divided evenly among all parsers of untrusted input.

The search is coverage-guided (libFuzzer through atheris). A find is an exception other than a one-line error, an input
that takes more than 2 s, or one that exceeds the memory limit.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzer import NOT_INSTALLED, Outcome, can_fuzz, fuzz
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run the fuzzer; exit code 1 if there is a find."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="total number, over all parsers")
    parser.add_argument("--only", nargs="*", choices=sorted(TARGETS), help="names of parsers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the outcomes as JSON")
    options = parser.parse_args()
    if not can_fuzz():
        sys.exit(NOT_INSTALLED)
    names = options.only or list(TARGETS)
    each = -(-options.inputs // len(names))
    outcomes: list[Outcome] = []
    print("parser                 inputs  seconds  branches  kept  peak MB", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="veneer-fuzz-", dir=_memory_folder()) as top:
            folder = Path(top) / "f"
            outcome = fuzz(f"tests.fuzz.targets:{name}", TARGETS[name], folder, inputs=each, seed=options.seed)
        outcomes.append(outcome)
        numbers = f"{outcome.inputs:6}  {outcome.seconds:7.1f}  {outcome.branches:8}  {outcome.kept:4}"
        print(f"{outcome.target:21}  {numbers}  {outcome.peak_mb:7}", flush=True)
        if outcome.find is not None:
            print(f"  FOUND {outcome.find[0][:300]!r}\n{outcome.find[1]}", flush=True)
    finds = sum(outcome.find is not None for outcome in outcomes)
    print(f"{sum(outcome.inputs for outcome in outcomes)} inputs, {finds} finds (seed {options.seed})")
    if options.out is not None:
        options.out.write_text(json.dumps([outcome.as_json() for outcome in outcomes], indent=1) + "\n")
    sys.exit(1 if finds else 0)


def _memory_folder() -> str | None:
    """A folder in memory, if the system has one: every input is written to a file."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    main()
