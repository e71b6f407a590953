"""The file under a recording: whole pieces reach the disk, never half of one."""

from __future__ import annotations

import contextlib
import io
import os
import stat
from pathlib import Path

from engines.errors import SinkError

_FRAGMENT_MARKS = (b"moof", b"\x1f\x43\xb6\x75")  # what a fragment begins with: in MP4 and MOV, in Matroska
SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")


def from_home(path: Path) -> Path:
    """The path with its ~ or ~user resolved.

    Raises:
        SinkError: there is no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise SinkError(f"writing {path}", f"there is no user {path.parts[0][1:]}", "write the whole path") from None


def check_target(path: Path) -> None:
    """Say now what would fail later: a name that no video can be written to.

    Raises:
        SinkError: another suffix, a folder that is not there or may not be written, something that is no file, or a
            name that the disk cannot have.
    """
    try:
        _check_place(path)
    except OSError as failure:  # too long, a link in a circle, a folder that may not be searched
        got = (failure.strerror or str(failure)).lower()
        raise SinkError(f"writing {path}", got, "name another file") from None


def _check_place(path: Path) -> None:
    asked = f"writing {path}"
    if path.suffix.lower() not in SUFFIXES:
        got = f"the name ends in '{path.suffix}'" if path.suffix else "the name has no ending"
        raise SinkError(asked, got, f"end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.is_dir():
        raise SinkError(asked, "that is a folder", f"name a file in it, for example {path / 'recording.mp4'}")
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise SinkError(asked, "that is a device or pipe, not a file", "name an ordinary file")
    folder = path.parent
    if not folder.is_dir():
        got = f"{folder} is a file" if folder.exists() else f"the folder {folder} does not exist"
        raise SinkError(asked, got, "make the folder first, or name another one")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SinkError(asked, f"nothing may be written in {folder}", "choose a folder of your own")


def claim_name(path: Path) -> tuple[int, Path]:
    """Make the file to write into: the asked name where nothing lies there, else a new name beside it.

    An existing file is never opened for writing, so it survives whatever goes wrong while the new one grows. The
    asked name is used at once where it is free, so that a recording that was cut off is found where it was asked for.

    Returns:
        An open file descriptor and the path it belongs to (PATH, or PATH's stem with .part, .part2, ...).

    Raises:
        OSError: the file cannot be made.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    beside = [path.with_name(f"{path.stem}.part{number or ''}{path.suffix}") for number in (0, *range(2, 1000))]
    for candidate in (path, *beside):
        with contextlib.suppress(FileExistsError):
            return os.open(candidate, flags, 0o666), candidate
    raise FileExistsError(f"{beside[0]} and 998 more exist")


class RecordingFile:
    """What the video writer of FFmpeg writes into (a seekable Python file, write only).

    Three things a plain file does not do:

    - What is appended waits in memory until `settle`, then goes out in one piece. A fragment of the video is on the
      disk whole or not at all, also when the disk fills up in the middle of it.
    - What overwrites earlier bytes (the header, at the end) waits until `finish` has everything else on the disk, so
      that there is no moment in which the file cannot be played.
    - After a failure nothing more is written; FFmpeg may go on, and close, without harm.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = self._settled_bytes = 0
        self._pending = bytearray()
        self._overwrites: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None
        self.fragments = 0  # how many are on the disk

    def readable(self) -> bool:
        """No: nothing is read back."""
        return False

    def writable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The place of the next write, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the place of the next write."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence, self._settled_bytes + len(self._pending))
        self._position = start + offset
        return self._position

    def write(self, data: bytes) -> int:
        """Take bytes; nothing reaches the disk before `settle`."""
        place = self._position - self._settled_bytes
        if place < 0:
            self._overwrites.append((self._position, bytes(data)))
        else:
            self._pending.extend(bytes(max(0, place - len(self._pending))))
            self._pending[place : place + len(data)] = data
        self._position += len(data)
        return len(data)

    def settle(self) -> None:
        """Put what was appended on the disk.

        Raises:
            OSError: there is no room, or the disk failed; what was settled before is untouched.
        """
        if self.failure or not self._pending:
            self._pending.clear()
            return
        try:
            self._write_all(bytes(self._pending))
        except OSError as failure:
            self.failure = failure
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._settled_bytes)
            raise
        else:
            self.fragments += sum(self._pending.count(mark) for mark in _FRAGMENT_MARKS)
        finally:
            written = 0 if self.failure else len(self._pending)
            self._settled_bytes += written
            self._pending.clear()

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Put everything on the disk, the earlier places last.

        Raises:
            OSError: as `settle`.
        """
        self.settle()
        if self.failure:
            return
        try:
            os.fsync(self._descriptor)
            for place, data in self._overwrites:
                os.lseek(self._descriptor, place, os.SEEK_SET)
                self._write_all(data)
            os.fsync(self._descriptor)
        except OSError as failure:
            self.failure = failure
            raise
        finally:
            self._overwrites.clear()

    def let_go(self) -> None:
        """Close the descriptor; what is still pending is lost. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
