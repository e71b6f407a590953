"""Runs the `veneer` command: in the test's own process, which is quick, or in a process of its own."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO
from unittest import mock

from live.cli import run_command_line

HANG_S = 120  # far beyond the time that any command here takes
_JOIN_S = 20
# Starts a program that the system kills when the tests end without a chance to stop it, where `setpriv` is installed.
WITH_TESTS = ("setpriv", "--pdeathsig", "KILL") if sys.platform == "linux" and shutil.which("setpriv") else ()
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


def call(
    *arguments: object, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `veneer ARGUMENTS` in this process; the result has the same form as that of `veneer()`.

    Settings, caches and recordings are those of `VENEER_HOME`, which the fixture `veneer_home` sets for every test.
    The output is collected at the file descriptors, so that of native libraries is included. Use `veneer()` instead
    where the test is about the process: a signal, an import, what a new process loads, the code of its exit.

    Args:
        env: Changes to the environment for this call.
        cwd: The working directory for this call.
    """
    words = [str(argument) for argument in arguments]
    threads = set(threading.enumerate())
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, env or {}))
        stack.enter_context(mock.patch.object(sys, "argv", ["veneer", *words]))
        stack.enter_context(_kept_handlers())
        if cwd is not None:
            stack.enter_context(_working_directory(cwd))
        out, err = (stack.enter_context(_collected(name, fd)) for name, fd in (("stdout", 1), ("stderr", 2)))
        code = run_command_line(words)
        _join_threads(threads)
        texts = [_text_of(stream) for stream in (out, err)]
    if isinstance(code, str):  # what `sys.exit` makes of a text
        texts[1] += code + "\n"
    exit_code = code if isinstance(code, int) else int(code is not None)
    return subprocess.CompletedProcess(["veneer", *words], exit_code, *texts)


def _join_threads(before: set[threading.Thread]) -> None:
    """Wait for the threads that the command started, which may still import modules or print."""
    deadline_s = time.monotonic() + _JOIN_S
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("Dummy-"):  # of native code, which has called Python
            continue
        thread.join(max(0.0, deadline_s - time.monotonic()))


@contextlib.contextmanager
def _collected(name: str, fd: int) -> Iterator[TextIO]:
    """Redirect `sys.NAME` and its file descriptor to one temporary file."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace") as file:
        getattr(sys, name).flush()
        saved_fd = os.dup(fd)
        os.dup2(file.fileno(), fd)
        try:
            with (
                os.fdopen(os.dup(fd), "w", encoding="utf-8", errors="backslashreplace") as stream,
                mock.patch.object(sys, name, stream),
            ):
                yield file
        finally:
            os.dup2(saved_fd, fd)
            os.close(saved_fd)


def _text_of(file: TextIO) -> str:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    file.seek(0)
    return file.read()


@contextlib.contextmanager
def _kept_handlers() -> Iterator[None]:
    """Restore signal handlers and log levels that a command changes for its process."""
    on_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS} if on_main else {}
    root = logging.getLogger()
    level, log_handlers = root.level, root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = log_handlers
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _working_directory(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def veneer(*arguments: object, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `veneer ARGUMENTS` in a process of its own."""
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
        [*WITH_TESTS, sys.executable, "-m", "live", *map(str, arguments)],
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


def until(found: Callable[[], Any], what: str) -> Any:
    """Poll until `found` returns a true value, and return that value."""
    deadline_s = time.monotonic() + HANG_S
    while time.monotonic() < deadline_s:
        result = found()
        if result:
            return result
        time.sleep(0.05)
    raise AssertionError(f"timeout: {what}")
