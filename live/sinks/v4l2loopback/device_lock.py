"""One program per virtual camera: a lock that the system itself lets go of when the program dies."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from pathlib import Path

PREFIX = "camera-"

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # far behind the text, which stays readable for others
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class DeviceLock:
    """An exclusive lock named after a device, held from `take` to `let_go` or the end of the process.

    The lock is on an open file in the user's runtime folder; the file itself stays (removing it would let two
    programs hold two files of the same name) and holds the process id of the last holder.
    """

    def __init__(self, device: str, folder: Path) -> None:
        """Args: the device's name ("/dev/video10"; links to it share its lock), and where lock files lie."""
        real = str(Path(device).resolve()) if device.startswith("/") else device
        self._path = folder / f"{PREFIX}{re.sub(r'[^A-Za-z0-9]+', '-', real).strip('-')}.lock"
        self._descriptor = -1

    @classmethod
    def all_in(cls, folder: Path) -> list[DeviceLock]:
        """The locks that were ever made in the folder, held or not."""
        return [cls(path.stem.removeprefix(PREFIX), folder) for path in sorted(folder.glob(f"{PREFIX}*.lock"))]

    def take(self) -> bool:
        """Whether the lock is ours now; False where another program, or another sink of this one, holds it.

        A folder that cannot be written is no reason to keep the camera from the user: then True, without a lock.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError:
            return True
        try:
            _take(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        with contextlib.suppress(OSError):
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, f"{os.getpid():<10}\n".encode())
        return True

    def holder(self) -> int | None:
        """The process that holds it, as far as the lock file says."""
        try:
            return int(self._path.read_text(encoding="ascii", errors="replace").split()[0])
        except (OSError, ValueError, IndexError):
            return None

    def let_go(self) -> None:
        """Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
