"""Atomic file replacement: a reader sees the whole old file or the whole new one."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to `path` when the block ends without an error.

    The temporary name keeps the suffix of `path`, because image and video writers choose the format by it. If the block
    raises, the temporary file is deleted and `path` is unchanged. Raises OSError if the file cannot be written or
    renamed.

    Args:
        path: The file to create or replace. Its folder must exist.
        sync: Flush the data to the device before the rename, so that a power cut cannot leave an empty file.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        yield part
        if sync:
            with part.open("rb") as file:
                os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def atomic_write(path: Path, data: str | bytes, *, sync: bool = False) -> None:
    """Write text (UTF-8) or bytes to `path` through `atomic_path`.

    Raises OSError if the file cannot be written or renamed.
    """
    with atomic_path(path, sync=sync) as part:
        part.write_bytes(data.encode() if isinstance(data, str) else data)
