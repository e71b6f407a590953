"""The output file of a recording: complete fragments reach the disk, never parts of one."""

from __future__ import annotations

import contextlib
import io
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from engines.errors import SinkError

_FRAGMENT_MARKS = (b"moof", b"\x1f\x43\xb6\x75")  # start of a fragment: in MP4 and MOV, in Matroska
FRAGMENT_US = 500_000
FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}  # FFmpeg's names
SUFFIXES = tuple(FORMATS)
_WRITE = os.O_RDWR | getattr(os, "O_BINARY", 0)


def error_text(error: Exception) -> str:
    """Return the reason of a system or library error, in lower case, without a full stop."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".").lower()


def check_target(path: Path) -> None:
    """Check that a video can be written to a path, before any work is done.

    Raises:
        SinkError: The suffix is unsupported, the folder is missing or not writable, the path is not an ordinary file,
            or the file system refuses the name.
    """
    try:
        _check_place(path)
    except OSError as error:  # name too long, cyclic link, folder that may not be searched
        raise SinkError(f"writing {path}", error_text(error), "name another file") from None


def _check_place(path: Path) -> None:
    requested = f"writing {path}"
    if path.suffix.lower() not in SUFFIXES:
        got = f"the name ends in '{path.suffix}'" if path.suffix else "the name has no ending"
        raise SinkError(requested, got, f"end it in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    if path.is_dir():
        raise SinkError(requested, "that is a folder", f"name a file in it, for example {path / 'recording.mp4'}")
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        raise SinkError(requested, "that is a device or pipe, not a file", "name an ordinary file")
    folder = path.parent
    if not folder.is_dir():
        got = f"{folder} is a file" if folder.exists() else f"the folder {folder} does not exist"
        raise SinkError(requested, got, "make the folder first, or name another one")
    try:
        with tempfile.TemporaryFile(dir=folder):  # os.access allows the administrator everything
            pass
    except OSError:
        raise SinkError(requested, f"nothing may be written in {folder}", "choose a folder of your own") from None


def part_paths(path: Path) -> Iterator[Path]:
    """Yield the names of unfinished files: the stem with .part, .part2, .part3, ..."""
    for number in (0, *range(2, 1000)):
        yield path.with_name(f"{path.stem}.part{number or ''}{path.suffix}")


def container_options(format_name: str, *, has_apple_metadata: bool) -> dict[str, str]:
    """Return the muxer options that make a truncated file playable and keep timestamps exact.

    `delay_moov` writes the header after the first packets, when their offsets (and AC-3's own header) are known.
    """
    options = {"flush_packets": "1", "max_interleave_delta": "1000000"}
    if format_name == "matroska":
        return {**options, "cluster_time_limit": str(FRAGMENT_US // 1000)}
    flags = "hybrid_fragmented+delay_moov" + "+use_metadata_tags" * (format_name == "mov" and has_apple_metadata)
    return {**options, "movflags": flags, "frag_duration": str(FRAGMENT_US), "movie_timescale": "90000"}


def create_file(path: Path) -> tuple[int, Path]:
    """Create the file to write to: the path itself if it is free, else the first free one of `part_paths`.

    An existing file is never opened for writing, so it survives any failure of the new recording. A free path is used
    directly, so that an interrupted recording is found where the user expects it.

    Returns:
        An open file descriptor and its path.

    Raises:
        OSError: The file cannot be created.
    """
    for candidate in (path, *part_paths(path)):
        with contextlib.suppress(FileExistsError):
            return os.open(candidate, _WRITE | os.O_CREAT | os.O_EXCL, 0o666), candidate
    raise FileExistsError(f"{path} and all its .part names exist")


def reserve(paths: Iterable[Path]) -> Path | None:
    """Create an empty file with the first free name of several, so that no other program takes it.

    Returns:
        The path; None if every name is taken.

    Raises:
        OSError: No file can be created.
    """
    for path in paths:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, _WRITE | os.O_CREAT | os.O_EXCL, 0o666))
            return path
    return None


def open_reserved(path: Path) -> int:
    """Open a file that `reserve` created. Raises OSError."""
    return os.open(path, _WRITE)


def remove_empty(path: Path) -> None:
    """Delete a reserved file into which nothing was written."""
    with contextlib.suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


class RecordingFile:
    """A seekable, write-only file object for FFmpeg's muxers. It differs from a plain file in three ways.

    - Appended data is buffered until `flush_fragments`, then written in one piece: a fragment of the video is on the
      disk completely or not at all, even if the disk becomes full in the middle of it.
    - Data that overwrites earlier positions (the header, at the end) is buffered until `finish` has everything else on
      the disk, so that the file can be played at any moment.
    - After a failure nothing more is written; FFmpeg may continue and close without harm.

    Args:
        descriptor: Open file descriptor; owned by this object.

    Attributes:
        failure: The first error of the disk; None without one.
        fragments: Number of fragments on the disk.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = self._flushed_bytes = 0
        self._pending = bytearray()
        self._overwrites: list[tuple[int, bytes]] = []
        self.failure: OSError | None = None
        self.fragments = 0

    def readable(self) -> bool:
        """Return False: nothing is read back."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position of the next write, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position of the next write, and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}.get(whence, self._flushed_bytes + len(self._pending))
        self._position = start + offset
        return self._position

    def write(self, data: bytes) -> int:
        """Buffer data; nothing reaches the disk before `flush_fragments`."""
        offset = self._position - self._flushed_bytes
        if offset < 0:
            self._overwrites.append((self._position, bytes(data)))
        else:
            self._pending.extend(bytes(max(0, offset - len(self._pending))))
            self._pending[offset : offset + len(data)] = data
        self._position += len(data)
        return len(data)

    def flush_fragments(self) -> None:
        """Write the appended data to the disk.

        Raises:
            OSError: The disk is full or failed; data that was flushed before is unchanged.
        """
        if self.failure or not self._pending:
            self._pending.clear()
            return
        try:
            self._write_all(bytes(self._pending))
        except OSError as error:
            self.failure = error
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._flushed_bytes)
            raise
        else:
            self.fragments += sum(self._pending.count(mark) for mark in _FRAGMENT_MARKS)
            self._flushed_bytes += len(self._pending)
        finally:
            self._pending.clear()

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Write everything to the disk, overwritten positions last.

        Raises:
            OSError: As `flush_fragments`.
        """
        self.flush_fragments()
        if self.failure:
            return
        try:
            os.fsync(self._descriptor)
            for offset, data in self._overwrites:
                os.lseek(self._descriptor, offset, os.SEEK_SET)
                self._write_all(data)
            os.fsync(self._descriptor)
        except OSError as error:
            self.failure = error
            raise
        finally:
            self._overwrites.clear()

    def close_descriptor(self) -> None:
        """Close the descriptor; pending data is lost. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
