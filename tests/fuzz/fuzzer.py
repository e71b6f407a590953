"""Runs fuzz targets in child processes and collects the results."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.target import Target

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S = 2
MAX_MB = 1500
MAX_BYTES = 16384
NOT_INSTALLED = "atheris is not installed (it comes with veneer[dev] on Linux, from Python 3.11 on)"
_STATUS = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)")
_MAX_STARTS = 5
_CHILD_TIMEOUT_S = 30.0
_FIXED = (
    f"-rss_limit_mb={MAX_MB}", f"-max_len={MAX_BYTES}", "-len_control=0", "-print_final_stats=1",
    "-artifact_prefix=find-",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one target.

    Attributes:
        inputs: Number of inputs that were run.
        branches: Coverage as counted by libFuzzer.
        kept: Number of inputs that reached new code.
        peak_mb: Peak memory.
        find: The input that caused a fault, and the end of the log; None if there was none.
    """

    target: str
    inputs: int
    seconds: float
    branches: int
    kept: int
    peak_mb: int
    find: tuple[bytes, str] | None

    def as_json(self) -> dict[str, Any]:
        """Return the outcome for the report, with the input as hexadecimal digits."""
        find = None if self.find is None else {"input": self.find[0].hex(), "ended": self.find[1]}
        return {**asdict(self), "find": find}


def can_fuzz() -> bool:
    """Whether the fuzzer is installed."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(where: str, target: Target, folder: Path, *, inputs: int, seed: int, timeout_s: int = TIMEOUT_S) -> Outcome:
    """Run a number of inputs on a target. The same seed gives the same inputs for the same code.

    Args:
        where: MODULE:NAME of the target, for the child process.
        target: The target.
        folder: An empty folder for the files of the fuzzer.
        inputs: Number of inputs, seeds included.
        seed: Seed of the mutations, at least 1.
        timeout_s: An input that takes longer is repeated alone; it is a find if it takes that much processor time or
            does not end.
    """
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for index, content in enumerate(target.seeds()):
        (corpus / f"seed-{index}").write_bytes(content)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens), encoding="ascii")
    started_s, done, branches, kept, peak_mb, find = time.monotonic(), 0, 0, 0, 0, None
    for attempt in range(_MAX_STARTS):
        flags = [f"-runs={inputs - done}", f"-seed={seed + attempt}", *([f"-dict={words}"] if target.tokens else [])]
        code, log = _child(where, folder, [f"-timeout={timeout_s}", *_FIXED, *flags, str(corpus)])
        status = _STATUS.findall(log) or [("0", "0")]
        done, peak_mb = done + (_number(log, "number_of_executed_units")), max(peak_mb, _number(log, "peak_rss_mb"))
        branches, kept = max(branches, int(status[-1][0])), int(status[-1][1])
        if code == 0:
            break
        find = _take_find(folder), "\n".join(log.splitlines()[-60:])
        if "libFuzzer: timeout" not in log or not _in_time(where, folder, find[0], timeout_s):
            break
        find = None  # the machine was busy: continue with the remaining inputs
    seconds = round(time.monotonic() - started_s, 1)
    return Outcome(target.name, done, seconds, branches, kept, peak_mb, find)


def _take_find(folder: Path) -> bytes:
    """Read and delete the input that the fuzzer saved last."""
    content = b""
    for path in folder.glob("find-*"):
        content = path.read_bytes()
        path.unlink()
    return content


def _in_time(where: str, folder: Path, content: bytes, timeout_s: int) -> bool:
    """Whether an input that exceeded the wall-clock limit is within it in processor time."""
    (folder / "again").write_bytes(content)
    code, _log = _child(
        where, folder, ["--once", str(folder / "again"), str(timeout_s)], child_timeout_s=_CHILD_TIMEOUT_S
    )
    return code == 0


def _child(where: str, folder: Path, flags: list[str], child_timeout_s: float | None = None) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.fuzz.child", where, str(folder), *flags]
    try:
        with (folder / "log").open("wb") as log:
            done = subprocess.run(
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": _python_path()}, timeout=child_timeout_s,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, "timeout of the child process"
    return done.returncode, (folder / "log").read_text(encoding="utf-8", errors="replace")


def _python_path() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))


def _number(log: str, name: str) -> int:
    found = re.findall(rf"stat::{name}:\s*(\d+)", log)
    return int(found[-1]) if found else 0


def _escaped(token: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in token)
