"""A lock that lets one program send to a virtual camera; the system releases it when the program dies."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

PREFIX = "camera-"

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # far behind the text, which remains readable for others
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class DeviceLock:
    """An exclusive lock named after a device, held from `acquire` to `release` or the end of the process.

    The lock is on a file in the user's runtime folder that holds the process id of its last owner. The file is never
    removed: otherwise two programs could hold two files of the same name.

    Args:
        device: Name of the device ("/dev/video10"; links to it share its lock).
        folder: Folder of the lock files.
    """

    def __init__(self, device: str, folder: Path) -> None:
        real = str(Path(device).resolve()) if device.startswith("/") else device
        self._path = folder / f"{PREFIX}{re.sub(r'[^A-Za-z0-9]+', '-', real).strip('-')}.lock"
        self._descriptor = -1

    @classmethod
    def all_in(cls, folder: Path) -> list[DeviceLock]:
        """Return the locks whose files exist in the folder, held or not."""
        return [cls(path.stem.removeprefix(PREFIX), folder) for path in sorted(folder.glob(f"{PREFIX}*.lock"))]

    def acquire(self) -> bool:
        """Acquire the lock without waiting; return False if another program or sink holds it.

        Returns True without a lock if the folder is not writable: that must not make the camera unusable.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with contextlib.suppress(OSError):
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid():<10}\n".encode())
        return True

    def holder(self) -> int | None:
        """Return the process id in the lock file; None if it cannot be read."""
        try:
            return int(self._path.read_text(encoding="ascii", errors="replace").split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def release(self) -> None:
        """Release the lock; idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
