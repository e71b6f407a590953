"""A builder for tests: builds nothing, but takes as long or fails in the way that its first argument says.

Arguments: MODE FILE. It holds a lock on FILE as long as it or one of its children lives.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

HOLD = """
import sys, time
from filelock import FileLock
FileLock(sys.argv[1]).acquire()
print("held", flush=True)
time.sleep(600)
"""


def report(step: str, done: int = 0, of: int = 0, say: str = "") -> None:
    print(json.dumps({"step": step, "done": done, "of": of, "say": say}), flush=True)


def main(arguments: Sequence[str]) -> int:
    mode, file = arguments
    print("output of a library")
    if mode == "hang":  # with a child of its own, which holds the lock
        child = subprocess.Popen([sys.executable, "-c", HOLD, file], stdout=subprocess.PIPE)
        assert child.stdout is not None and child.stdout.readline()
        report("build", 1, 3)
        time.sleep(600)
    with FileLock(file):
        report("build", 1, 3)
        if mode == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if mode == "raise":
            raise MemoryError("no room for the engine")
        if mode == "cannot":
            print("NNCF is not installed", file=sys.stderr)
            return 2
        if mode == "refuse":
            report("done", say="failed: mean dE 3.1, at most 1.0")
            return 3
        if mode == "priority":
            nice, group = os.nice(0), os.getpgid(0) == os.getpid()
            report(
                f"nice {nice}, own group {group}, own session {os.getsid(0) == os.getpid()}, reads {sys.stdin.read()!r}"
            )
        if mode == "wait":  # until the test lets it end
            until = Path(file + ".go")
            while not until.exists():
                sum(range(20_000))
        report("build", 3, 3)
    return 0
