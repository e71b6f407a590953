"""Keeps the chatter of native libraries off the terminal while they load, but not what the program itself says."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_BROKEN = (OSError, ValueError, AttributeError, RuntimeError)  # closed, broken, absent, or interrupted half-way


class _Redirect:
    """Standard error of the whole process, led into a file while at least one block asks for quiet.

    Blocks may lie inside each other or overlap from several threads: the first one in redirects, the last one out
    puts standard error back.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may speak while its own thread holds the lock
        self._blocks = 0
        self._stderr_fd = 2
        self._terminal_fd = -1  # standard error as it was before the first block
        self._kept: IO[bytes] | None = None  # what is written meanwhile

    def enter(self) -> int | None:
        """Ask for quiet: where in the file this block begins, or None where there is nothing to keep quiet."""
        with self._lock:
            if self._kept is None:
                self._kept = self._begin()
            if self._kept is None:
                return None
            self._blocks += 1
            return self._kept.seek(0, os.SEEK_END)

    def leave(self, begin: int, *, show: bool) -> None:
        """Give quiet up; with `show`, what was written since `begin` goes to the terminal."""
        with self._lock:
            assert self._kept is not None
            _flush()
            if show:
                self._kept.seek(begin)
                chatter = self._kept.read()
                self._kept.seek(0, os.SEEK_END)  # standard error shares this place: other blocks write on from here
                with contextlib.suppress(OSError):
                    _write(self._terminal_fd, chatter)
            self._blocks -= 1
            if self._blocks == 0:
                os.dup2(self._terminal_fd, self._stderr_fd)
                os.close(self._terminal_fd)
                self._kept.close()
                self._kept = None

    def _begin(self) -> IO[bytes] | None:
        try:
            self._stderr_fd = sys.__stderr__.fileno() if sys.__stderr__ else 2
            self._terminal_fd = os.dup(self._stderr_fd)
        except (OSError, ValueError):  # no standard error at all (a windowed program): nothing to keep quiet
            return None
        _flush()
        try:
            kept = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  (the last block out closes it)
        except OSError:  # nowhere to write: better chatter than no face
            os.close(self._terminal_fd)
            return None
        os.dup2(kept.fileno(), self._stderr_fd)
        return kept

    def say(self, text: str) -> None:
        """One line to the user, past the redirect where one is active."""
        with self._lock:
            if self._kept is not None and _is_on(self._stderr_fd):
                _flush()
                encoding = sys.stderr.encoding or "utf-8"
                _write(self._terminal_fd, (text + os.linesep).encode(encoding, "backslashreplace"))
            else:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()


_redirect = _Redirect()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """What native code writes to standard error inside the block is shown only if the block fails.

    Standard error belongs to the whole process, so lines for the user must go through `say_line` meanwhile.
    """
    begin = _redirect.enter()
    if begin is None:
        yield
        return
    try:
        yield
    except BaseException:
        _redirect.leave(begin, show=True)
        raise
    _redirect.leave(begin, show=False)


def say_line(text: str) -> None:
    """Write `text` and a line end to the user's standard error, also while `quiet_stderr` is active.

    Goes through `sys.stderr`, unless that is the very stream which is being kept quiet. Never raises: where standard
    error is absent, closed or broken, the line is dropped.
    """
    with contextlib.suppress(*_BROKEN):
        _redirect.say(text)


def _is_on(fd: int) -> bool:
    """Whether `sys.stderr` ends in this descriptor; a stand-in (a capture, a log window) has another or none."""
    try:
        return sys.stderr.fileno() == fd
    except (OSError, ValueError, AttributeError):
        return False


def _flush() -> None:
    with contextlib.suppress(*_BROKEN):
        sys.stderr.flush()


def _write(fd: int, content: bytes) -> None:
    while content:
        content = content[os.write(fd, content) :]
