"""A lock that lets one program send to a virtual camera; the system releases it when the program dies."""

from __future__ import annotations

import os
import re
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "camera-"


class DeviceLock:
    """An exclusive lock named after a device, held from `acquire` to `release` or the end of the process.

    Links to a device share its lock. A file beside the lock holds the process id of its last owner.
    """

    def __init__(self, device: str, folder: Path) -> None:
        real = str(Path(device).resolve()) if device.startswith("/") else device
        self._owner = folder / f"{_PREFIX}{re.sub(r'[^A-Za-z0-9]+', '-', real).strip('-')}.pid"
        self._lock = FileLock(self._owner.with_suffix(".lock"), mode=0o600)

    @classmethod
    def all_in(cls, folder: Path) -> list[DeviceLock]:
        """Return the locks that were ever acquired in the folder, held or not."""
        return [cls(path.stem.removeprefix(_PREFIX), folder) for path in sorted(folder.glob(f"{_PREFIX}*.pid"))]

    def acquire(self) -> bool:
        """Acquire the lock without waiting; return False if another program or sink holds it.

        Returns True without a lock if the folder is not writable: that must not make the camera unusable.
        """
        try:
            self._owner.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            self._owner.write_text(str(os.getpid()), encoding="ascii")
        except Timeout:
            return False
        except (OSError, NotImplementedError):
            return True
        return True

    def holder(self) -> int | None:
        """Return the process id of the last owner; None if it cannot be read."""
        try:
            return int(self._owner.read_text(encoding="ascii", errors="replace"))
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Release the lock; idempotent."""
        self._lock.release()
