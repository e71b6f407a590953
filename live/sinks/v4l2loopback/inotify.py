"""Being told by Linux when somebody opens or closes a file: inotify, which Python has no module for."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_IN_CLOSE, _IN_OPEN = 0x08 | 0x10, 0x20  # linux/inotify.h
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows


class Openings:
    """Counts how often a file, a device file too, is opened and closed, by whichever user.

    Equal news in a row that nobody heard yet comes as one: take the counts for a hint, not for the truth.

    Args:
        path: the file; what is opened already is not counted.

    Raises:
        OSError: this system has no inotify, no watch is left, or the file may not be read.
    """

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        try:
            self.descriptor: int = library.inotify_init1(_FLAGS)
        except AttributeError:
            raise OSError("this system has no inotify") from None
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "no inotify instance is left")
        if library.inotify_add_watch(self.descriptor, os.fsencode(path), _IN_OPEN | _IN_CLOSE) < 0:
            number = ctypes.get_errno()
            self.close()
            raise OSError(number, os.strerror(number), str(path))

    def news(self) -> tuple[int, int]:
        """How many openings and closings since the last call; never waits."""
        opened = closed = 0
        while True:
            try:
                told = os.read(self.descriptor, 1 << 14)
            except BlockingIOError:
                return opened, closed
            while told:
                _, mask, _, length = _EVENT.unpack_from(told)
                told = told[_EVENT.size + length :]
                opened += bool(mask & _IN_OPEN)
                closed += bool(mask & _IN_CLOSE)

    def close(self) -> None:
        """No more news; idempotent."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
