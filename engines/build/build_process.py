"""A builder in a process of its own: start, progress, timeout, cancellation.

A builder prints one JSON object per line, {"step": "quantise", "done": 3, "of": 11, "say": "text for the user"}; all
other lines are ignored. It exits with 0, `EXIT_UNAVAILABLE` or `EXIT_REJECTED`; the last line says why.
"""

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

from engines.build.low_priority_process import kill_group
from engines.runtime.child_process import module_command

EXIT_UNAVAILABLE = 2  # the engine cannot be built on this machine
EXIT_REJECTED = 3  # the engine is built, and not accurate enough
_ROOT = Path(__file__).resolve().parents[2]
_MAX_LINE_BYTES = 10_000
_KILL_TIMEOUT_S = 30.0  # on a loaded machine a process of the lowest priority ends slowly
_POLL_INTERVAL_S = 0.1
_SIGNAL_NAMES = {number.value: number.name for number in signal.Signals}


class BuildError(Exception):
    """The build failed; if not permanently, the next start may try again."""

    def __init__(self, reason: str, *, permanent: bool = True) -> None:
        self.permanent = permanent
        super().__init__(reason)


class BuildStoppedError(Exception):
    """The build was cancelled by `BuildProcess.stop`."""


def report_step(step: str, text: str, done: int = 0, total: int = 0) -> None:
    """Print a builder's progress in the form that `BuildProcess` reads."""
    sys.stdout.write(json.dumps({"step": step, "done": done, "of": total, "say": text}) + "\n")
    sys.stdout.flush()


class BuildProcess:
    """Runs one builder: an object reference as in "engines.build.build_engine:main", which takes the arguments.

    The function returns the exit code. The builder is killed after `limit_s`. `on_step` is called in a thread of its
    own with each step, as in "quantise 3/11".
    """

    def __init__(
        self, builder: str, arguments: Sequence[str], *, limit_s: float, on_step: Callable[[str], None]
    ) -> None:
        self._command = [*module_command("engines.build.low_priority_process"), builder, *arguments]
        self._limit_s, self._on_step = limit_s, on_step
        self._process: subprocess.Popen[bytes] | None = None
        self._process_lock = threading.Lock()
        self._stopped = threading.Event()
        self._last_text = ""

    def run(self) -> None:
        """Run the builder to its end. Raises BuildError if it failed; BuildStoppedError if `stop` was called."""
        with tempfile.TemporaryFile() as stderr:
            process = self._start(stderr)
            reader = threading.Thread(target=self._read_steps, args=(process.stdout,), name="builder", daemon=True)
            reader.start()
            try:
                code = self._wait(process)
            finally:
                with self._process_lock:
                    self._process = None  # the system may reuse the process id
                    _kill(process)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_KILL_TIMEOUT_S)
                reader.join(1.0)
            self._check_exit_code(code, _last_line(stderr))

    def stop(self) -> None:
        """Kill the builder and all its children, from any thread; idempotent."""
        self._stopped.set()
        with self._process_lock:
            if self._process is not None:
                _kill(self._process)

    def _start(self, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # PyTorch: the other cores belong to the live picture
        if home := os.environ.get("VENEER_HOME"):
            environment["VENEER_HOME"] = str(Path(home).expanduser().absolute())
        with self._process_lock:
            if self._stopped.is_set():
                raise BuildStoppedError
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    cwd=_ROOT,  # modules in the user's folder must not shadow ours
                    env=environment,
                    creationflags=getattr(subprocess, "IDLE_PRIORITY_CLASS", 0)
                    | getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
            except OSError as error:
                reason = f"its builder cannot be started ({error.strerror or error})"
                raise BuildError(reason, permanent=False) from error
            return self._process

    def _read_steps(self, stdout: IO[bytes]) -> None:
        with stdout, contextlib.suppress(OSError, ValueError):
            while line := stdout.readline(_MAX_LINE_BYTES):
                try:
                    step = json.loads(line)
                    name, done, total = str(step["step"]), int(step.get("done", 0)), int(step.get("of", 0))
                except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                    continue  # output of a library
                self._last_text = str(step.get("say", ""))
                self._on_step(f"{name} {done}/{total}" if total > 1 else name)

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        end_s = time.monotonic() + self._limit_s
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(_POLL_INTERVAL_S)
            if self._stopped.is_set():
                raise BuildStoppedError
            if time.monotonic() > end_s:
                raise BuildError(f"its builder took longer than {self._limit_s:.0f} s and was ended")

    def _check_exit_code(self, code: int, error_line: str) -> None:
        if self._stopped.is_set():
            raise BuildStoppedError
        if code == EXIT_REJECTED:
            raise BuildError(self._last_text or error_line or "calibration rejected it")
        if code == EXIT_UNAVAILABLE:
            raise BuildError(error_line or self._last_text or "it cannot be built here", permanent=False)
        if code < 0:
            raise BuildError(f"its builder crashed ({_SIGNAL_NAMES.get(-code, f'signal {-code}')})")
        if code:
            raise BuildError(f"its builder failed ({error_line or f'exit code {code}'})")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process, which may have ended already, and the children it left."""
    kill_group(process.pid)
    process.kill()  # it may not have created its group yet
    with contextlib.suppress(OSError):
        if process.stdin is not None:
            process.stdin.close()


def _last_line(stderr: IO[bytes]) -> str:
    stderr.seek(max(0, stderr.seek(0, os.SEEK_END) - _MAX_LINE_BYTES))
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip()[:200] if lines else ""
