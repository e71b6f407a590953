"""Notification of file openings and closings through inotify, for which Python has no module."""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

_IN_CLOSE, _IN_OPEN = 0x08 | 0x10, 0x20  # linux/inotify.h
_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_EVENT = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows


class FileOpenWatcher:
    """Counts how often any user opens and closes a file or device file.

    inotify merges equal consecutive events that were not read yet, so the counts are lower bounds.

    Args:
        path: The file; descriptors that are already open are not counted.

    Raises:
        OSError: The system has no inotify or no watch left, or the file may not be read.
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

    def read_counts(self) -> tuple[int, int]:
        """Return the openings and closings since the last call, without waiting."""
        opened = closed = 0
        while True:
            try:
                events = os.read(self.descriptor, 1 << 14)
            except BlockingIOError:
                return opened, closed
            while events:
                _, mask, _, length = _EVENT.unpack_from(events)
                events = events[_EVENT.size + length :]
                opened += bool(mask & _IN_OPEN)
                closed += bool(mask & _IN_CLOSE)

    def close(self) -> None:
        """Stop watching; idempotent."""
        descriptor, self.descriptor = self.descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
