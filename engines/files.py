"""Atomic file replacement: a reader gets the whole old file or the whole new one. Result files of the command line."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engines.errors import OptionsError, os_errors


@contextmanager
def atomic_path(path: Path, *, sync: bool = False, replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, because image and video writers choose the format by it. If the block
    raises, the temporary file is deleted and `path` is unchanged. Raises OSError if the file cannot be written or
    renamed.

    Args:
        path: The file to create or replace. Its folder must exist.
        sync: Flush the data to the device before the rename, so that a power cut cannot leave an empty file.
        replace: Replace an existing file; otherwise FileExistsError is raised if there is one at the end.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        yield part
        if sync:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            move_without_replacing(part, path)
    finally:
        part.unlink(missing_ok=True)


def atomic_write(path: Path, data: str | bytes, *, sync: bool = False, replace: bool = True) -> None:
    """Write text (UTF-8) or bytes through `atomic_path`. Raises OSError if the file cannot be written or renamed."""
    with atomic_path(path, sync=sync, replace=replace) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)


def move_without_replacing(part: Path, path: Path) -> None:
    """Give a complete file its name in the same folder, unless a file of that name exists.

    The check and the move are one step of the file system, so that a file made meanwhile is never replaced.

    Raises:
        FileExistsError: A file of that name exists; both files are unchanged.
        OSError: The file cannot be moved.
    """
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # FAT and some network file systems have no hard links: an empty file reserves the name
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        try:
            part.replace(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    else:
        with contextlib.suppress(OSError):  # the complete file has its name
            part.unlink()


def check_writable(option: str, path: Path | None) -> None:
    """Check before a run that its result file can be written after it; None is accepted.

    Raises:
        OptionsError: The folder does not exist or is not writable, or the path is a folder.
    """
    if path is None:
        return
    folder = path.absolute().parent
    try:
        if not folder.is_dir():
            raise OptionsError(f"{option} {path}", f"there is no folder {folder}", "create it first")
        writable = not path.is_dir() and os.access(path if path.exists() else folder, os.W_OK)
    except OSError:  # the name is invalid
        writable = False
    if not writable:
        raise OptionsError(f"{option} {path}", "it cannot be written", "name a file in a writable folder")


def write_json(option: str, path: Path | None, found: dict[str, Any]) -> None:
    """Write results as JSON, replacing the file atomically; None is accepted. Raises OptionsError."""
    if path is not None:
        with os_errors(f"{option} {path}", "free some space, or name another file"):
            atomic_write(path, json.dumps(found, indent=2) + "\n")
