"""Keeps the chatter of native libraries off the terminal while they load."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """What native code writes to standard error inside the block is shown only if the block fails."""
    try:
        stderr_fd = sys.__stderr__.fileno() if sys.__stderr__ else 2
        saved_fd = os.dup(stderr_fd)
    except (OSError, ValueError):  # no standard error at all (a windowed program): nothing to keep quiet
        yield
        return
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), stderr_fd)
        try:
            yield
        except BaseException:
            os.dup2(saved_fd, stderr_fd)
            kept.seek(0)
            os.write(stderr_fd, kept.read())
            raise
        finally:
            os.dup2(saved_fd, stderr_fd)
            os.close(saved_fd)
