"""The long run: `python -m tests.fuzz --inputs 100000`, shared out evenly among all parsers of outside input.

Coverage-guided: inputs that reach new code are kept and changed further (libFuzzer, through atheris). A find is any
exception but a refusal in one clear line, an input that takes more than 2 s, and memory that runs away.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.fuzz.fuzzer import WITHOUT, Outcome, can_fuzz, fuzz
from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run it; exit code 1 where something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all parsers together")
    parser.add_argument("--only", nargs="*", choices=sorted(TARGETS), help="these parsers")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the outcomes as JSON")
    wanted = parser.parse_args()
    if not can_fuzz():
        sys.exit(WITHOUT)
    names = wanted.only or list(TARGETS)
    each = -(-wanted.inputs // len(names))
    outcomes: list[Outcome] = []
    print("parser                 inputs  seconds  branches  kept  peak MB", flush=True)
    for name in names:
        with tempfile.TemporaryDirectory(prefix="veneer-fuzz-", dir=_fast()) as top:
            folder = Path(top) / "f"
            outcome = fuzz(f"tests.fuzz.targets:{name}", TARGETS[name], folder, inputs=each, seed=wanted.seed)
        outcomes.append(outcome)
        numbers = f"{outcome.inputs:6}  {outcome.seconds:7.1f}  {outcome.branches:8}  {outcome.kept:4}"
        print(f"{outcome.target:21}  {numbers}  {outcome.peak_mb:7}", flush=True)
        if outcome.find is not None:
            print(f"  FOUND {outcome.find[0][:300]!r}\n{outcome.find[1]}", flush=True)
    finds = sum(outcome.find is not None for outcome in outcomes)
    print(f"{sum(outcome.inputs for outcome in outcomes)} inputs, {finds} finds (seed {wanted.seed})")
    if wanted.out is not None:
        wanted.out.write_text(json.dumps([outcome.as_json() for outcome in outcomes], indent=1) + "\n")
    sys.exit(1 if finds else 0)


def _fast() -> str | None:
    """A folder in memory, where there is one: a file is written for every input."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    main()
