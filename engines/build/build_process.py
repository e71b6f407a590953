"""A process that builds an engine: started aside, listened to, and ended when it hangs or is no longer wanted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from engines.build.low_priority_process import end_group

EXIT_UNAVAILABLE, EXIT_REJECTED = (
    2,
    3,
)  # exit codes: it cannot be built on this machine; it was built, and calibration says no
_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_LINE = 10_000
_GONE_S = 30.0  # at the lowest priority of a loaded machine even an end takes its time
_TURN_S = 0.1  # how often it is asked whether it has ended


class BuildError(Exception):
    """Why there is no engine, as part of a sentence ("its builder crashed (SIGSEGV)").

    Args:
        why: that part.
        permanent: it would come again; else (the builder says itself that it cannot now) the next start may try.
    """

    def __init__(self, why: str, *, permanent: bool = True) -> None:
        self.permanent = permanent
        super().__init__(why)


class BuildStoppedError(Exception):
    """Nobody wants it any more."""


class BuildProcess:
    """Runs one of our modules aside, to its end.

    The module prints a JSON object a line, {"step": "quantise", "done": 3, "of": 11, "say": "words for a person"}, and
    ends with 0, or with `EXIT_UNAVAILABLE` or `EXIT_REJECTED` and why on its last line.

    Args:
        module: as in "engines.build.build_engine".
        arguments: of it.
        limit_s: it is ended when it takes longer.
        told: called in a thread of its own with each step, in a few words ("quantise 3/11").
    """

    def __init__(self, module: str, arguments: Sequence[str], *, limit_s: float, told: Callable[[str], None]) -> None:
        self._command = [sys.executable, "-m", "engines.build.low_priority_process", module, *arguments]
        self._name, self._limit_s, self._told = module, limit_s, told
        self._process: subprocess.Popen[bytes] | None = None
        self._starting = threading.Lock()
        self._unwanted = threading.Event()
        self._last_said = ""

    def run(self) -> None:
        """Build, and wait for it.

        Raises:
            BuildError: it crashed, took too long, or says that it cannot.
            BuildStoppedError: `stop` was called.
        """
        with tempfile.TemporaryFile() as complaints:
            process = self._started(complaints)
            reader = threading.Thread(target=self._listen, args=(process.stdout,), name="builder", daemon=True)
            reader.start()
            try:
                code = self._waited(process)
            finally:
                with self._starting:
                    self._process = None  # its number may soon be another's
                    _end(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GONE_S)
                reader.join(1.0)
            self._judge(code, _last_line(complaints))

    def stop(self) -> None:
        """End it, from any thread; at once, also what it started itself."""
        self._unwanted.set()
        with self._starting:
            if self._process is not None:
                _end(self._process)

    def _started(self, complaints: IO[bytes]) -> subprocess.Popen[bytes]:
        threads = {"OMP_NUM_THREADS": "1"}  # where PyTorch computes: the other cores are the picture's
        home = os.environ.get("VENEER_HOME")
        homes = {"VENEER_HOME": str(Path(home).expanduser().absolute())} if home else {}
        low = getattr(subprocess, "IDLE_PRIORITY_CLASS", 0) | getattr(subprocess, "CREATE_NO_WINDOW", 0)
        with self._starting:
            if self._unwanted.is_set():
                raise BuildStoppedError
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    cwd=_ROOT,  # where our modules are found first, whatever lies in the user's folder
                    env={**os.environ, **threads, **homes},
                    creationflags=low,
                )
            except OSError as error:
                why = f"its builder cannot be started ({error.strerror or error})"
                raise BuildError(why, permanent=False) from error
            return self._process

    def _listen(self, out: IO[bytes]) -> None:
        with out, contextlib.suppress(OSError, ValueError):
            while line := out.readline(_LONGEST_LINE):
                self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            step = json.loads(line)
            words, done, of = str(step["step"]), int(step.get("done", 0)), int(step.get("of", 0))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return  # a library's chatter
        self._last_said = str(step.get("say", ""))
        self._told(f"{words} {done}/{of}" if of > 1 else words)

    def _waited(self, process: subprocess.Popen[bytes]) -> int:
        until_s = time.monotonic() + self._limit_s
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_TURN_S)
            if self._unwanted.is_set():
                raise BuildStoppedError
            if time.monotonic() > until_s:
                raise BuildError(f"its builder took longer than {self._limit_s:.0f} s and was ended")

    def _judge(self, code: int, complaint: str) -> None:
        if self._unwanted.is_set():
            raise BuildStoppedError
        if code == EXIT_REJECTED:
            raise BuildError(self._last_said or complaint or "calibration says no")
        if code == EXIT_UNAVAILABLE:
            raise BuildError(complaint or self._last_said or "it cannot be built here", permanent=False)
        if code < 0:
            raise BuildError(f"its builder crashed ({_signal_name(-code)})")
        if code:
            raise BuildError(f"its builder failed ({complaint or f'exit code {code}'})")


def _end(process: subprocess.Popen[bytes]) -> None:
    """With all that it started; a process that has ended by itself may have left something behind, too."""
    end_group(process.pid)
    process.kill()  # where it had no group of its own yet
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()


def _last_line(complaints: IO[bytes]) -> str:
    complaints.seek(max(0, complaints.seek(0, os.SEEK_END) - _LONGEST_LINE))
    lines = complaints.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
