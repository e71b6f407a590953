"""Suppression of messages that native libraries write to standard error, but not of the program's own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import IO

_STREAM_ERRORS = (OSError, ValueError, AttributeError, RuntimeError)  # closed, broken, missing, or re-entered


class _Redirect:
    """Redirects the standard error of the process into a file while at least one block is active.

    Blocks may be nested or overlap between threads: the first one redirects, the last one restores.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may print while its own thread holds the lock
        self._blocks = 0
        self._stderr_fd = 2
        self._terminal_fd = -1  # standard error before the first block
        self._file: IO[bytes] | None = None  # receives the redirected output

    def enter(self) -> int | None:
        """Activate a block; return its start position in the file, or None if there is nothing to redirect."""
        with self._lock:
            if self._file is None:
                self._file = self._begin()
            if self._file is None:
                return None
            self._blocks += 1
            return self._file.seek(0, os.SEEK_END)

    def leave(self, start: int, *, show: bool) -> None:
        """End a block; with `show`, copy what was written since `start` to the terminal."""
        with self._lock:
            assert self._file is not None
            _flush()
            if show:
                self._file.seek(start)
                output = self._file.read()
                self._file.seek(0, os.SEEK_END)  # standard error shares this position: other blocks continue here
                with contextlib.suppress(OSError):
                    _write_all(self._terminal_fd, output)
            self._blocks -= 1
            if self._blocks == 0:
                os.dup2(self._terminal_fd, self._stderr_fd)
                os.close(self._terminal_fd)
                self._file.close()
                self._file = None

    def _begin(self) -> IO[bytes] | None:
        try:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (closed by the last block)
            self._stderr_fd = sys.__stderr__.fileno() if sys.__stderr__ else 2
            self._terminal_fd = os.dup(self._stderr_fd)
        except (OSError, ValueError):  # no standard error (a windowed program), or no temporary folder
            return None
        _flush()
        os.dup2(file.fileno(), self._stderr_fd)
        return file

    def print_line(self, text: str) -> None:
        """Print a line for the user, bypassing the redirect."""
        with self._lock:
            if self._file is not None and _stderr_uses(self._stderr_fd):
                _flush()
                encoding = sys.stderr.encoding or "utf-8"
                _write_all(self._terminal_fd, (text + os.linesep).encode(encoding, "backslashreplace"))
            else:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()


_redirect = _Redirect()
_receivers: list[Callable[[str], None]] = []


@contextlib.contextmanager
def quiet_stderr(*, show_failures: bool = True) -> Iterator[None]:
    """Suppress what native code writes to standard error inside the block.

    Standard error belongs to the whole process, so lines for the user must be printed with `say_line` meanwhile.

    Args:
        show_failures: Show what was written if the block raises.
    """
    start, has_failed = _redirect.enter(), True
    try:
        yield
        has_failed = False
    finally:
        if start is not None:
            _redirect.leave(start, show=has_failed and show_failures)


def say_line(text: str) -> None:
    """Print a line to the user's standard error, also while `quiet_stderr` is active.

    Uses `sys.stderr`, unless that is the redirected stream. Never raises: if standard error is missing, closed or
    broken, the line is dropped.
    """
    if _receivers:
        _receivers[-1](text)
    else:
        print_line(text)


def print_line(text: str) -> None:
    """Print a line as `say_line` does, also inside `lines_to`."""
    with contextlib.suppress(*_STREAM_ERRORS):
        _redirect.print_line(text)


@contextlib.contextmanager
def lines_to(receiver: Callable[[str], None]) -> Iterator[None]:
    """Hand the lines of all threads to a receiver inside the block, instead of printing them."""
    _receivers.append(receiver)
    try:
        yield
    finally:
        _receivers.remove(receiver)


def _stderr_uses(fd: int) -> bool:
    """Return whether `sys.stderr` writes to this descriptor; a replacement (a test capture) has another or none."""
    try:
        return sys.stderr.fileno() == fd
    except (OSError, ValueError, AttributeError):
        return False


def _flush() -> None:
    with contextlib.suppress(*_STREAM_ERRORS):
        sys.stderr.flush()


def _write_all(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]
