"""Runs fuzz targets, each in a child, and tells what came of it."""

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
SLOWEST_S = 2
MOST_MB = 1500
LONGEST_BYTES = 16384
WITHOUT = "atheris is not installed (it comes with veneer[dev] on Linux, from Python 3.11 on)"
_STATUS = re.compile(r"cov: (\d+) ft: \d+ corp: (\d+)")
_MOST_STARTS = 5
_ENDS_S = 30.0
_FIXED = (
    f"-rss_limit_mb={MOST_MB}", f"-max_len={LONGEST_BYTES}", "-len_control=0", "-print_final_stats=1",
    "-artifact_prefix=find-",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one target.

    Attributes:
        inputs: that were tried.
        branches: places in the parsers' code that were reached, as libFuzzer counts them.
        kept: inputs that reached something new.
        peak_mb: most memory held.
        find: the input that did harm, and how it ended; None where none did.
    """

    target: str
    inputs: int
    seconds: float
    branches: int
    kept: int
    peak_mb: int
    find: tuple[bytes, str] | None

    def as_json(self) -> dict[str, Any]:
        """For the report: the input as hexadecimal digits."""
        find = None if self.find is None else {"input": self.find[0].hex(), "ended": self.find[1]}
        return {**asdict(self), "find": find}


def can_fuzz() -> bool:
    """Whether the fuzzer itself is there."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(where: str, target: Target, folder: Path, *, inputs: int, seed: int, slowest_s: int = SLOWEST_S) -> Outcome:
    """Try so many inputs on a target; the same seed tries the same ones as long as the code stays the same.

    Args:
        where: MODULE:NAME of the target, for the child.
        target: the target itself.
        folder: a folder of its own; what the fuzzer writes stays there.
        inputs: how many; the seeds are among them.
        seed: of the changes, 1 or more.
        slowest_s: an input that takes longer is tried once more, alone; it is a find where it takes so much of the
            processor's time, or does not end.
    """
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for index, content in enumerate(target.seeds()):
        (corpus / f"seed-{index}").write_bytes(content)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens), encoding="ascii")
    started_s, done, branches, kept, peak_mb, find = time.monotonic(), 0, 0, 0, 0, None
    for attempt in range(_MOST_STARTS):
        flags = [f"-runs={inputs - done}", f"-seed={seed + attempt}", *([f"-dict={words}"] if target.tokens else [])]
        code, log = _child(where, folder, [f"-timeout={slowest_s}", *_FIXED, *flags, str(corpus)])
        status = _STATUS.findall(log) or [("0", "0")]
        done, peak_mb = done + (_number(log, "number_of_executed_units")), max(peak_mb, _number(log, "peak_rss_mb"))
        branches, kept = max(branches, int(status[-1][0])), int(status[-1][1])
        if code == 0:
            break
        find = _find(folder), "\n".join(log.splitlines()[-60:])
        if "libFuzzer: timeout" not in log or not _in_time(where, folder, find[0], slowest_s):
            break
        find = None  # the machine was busy, not the parser: the rest goes on
    seconds = round(time.monotonic() - started_s, 1)
    return Outcome(target.name, done, seconds, branches, kept, peak_mb, find)


def _find(folder: Path) -> bytes:
    """The input that the fuzzer wrote down last; it goes out of the way."""
    content = b""
    for path in folder.glob("find-*"):
        content = path.read_bytes()
        path.unlink()
    return content


def _in_time(where: str, folder: Path, content: bytes, slowest_s: int) -> bool:
    """Whether an input that took too long on the clock takes less of the processor's time: others were busy then."""
    (folder / "again").write_bytes(content)
    code, _log = _child(where, folder, ["--once", str(folder / "again"), str(slowest_s)], ends_s=_ENDS_S)
    return code == 0


def _child(where: str, folder: Path, flags: list[str], ends_s: float | None = None) -> tuple[int, str]:
    command = [sys.executable, "-m", "tests.fuzz.child", where, str(folder), *flags]
    try:
        with (folder / "log").open("wb") as log:
            done = subprocess.run(
                command, cwd=folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": _with_root()}, timeout=ends_s,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return -1, "it does not end"
    return done.returncode, (folder / "log").read_text(encoding="utf-8", errors="replace")


def _with_root() -> str:
    return os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))


def _number(log: str, name: str) -> int:
    found = re.findall(rf"stat::{name}:\s*(\d+)", log)
    return int(found[-1]) if found else 0


def _escaped(token: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in token)
