"""Video4Linux device files: their capabilities, and the programs that have them open."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from pathlib import Path

# linux/videodev2.h: struct v4l2_capability, _IOR('V', 0, struct v4l2_capability), and its flags (with multi-planar).
CAPABILITY = struct.Struct("=16s32s32sIII12x")
_VIDIOC_QUERYCAP = 0x80685600
CAN_CAPTURE, CAN_OUTPUT = 0x1 | 0x1000, 0x2 | 0x2000

PROC = Path("/proc")


def device_capabilities(path: str) -> int:
    """Return the capability flags of a device.

    Raises:
        OSError: The device cannot be opened, or is not a Video4Linux device (ENOTTY).
    """
    import fcntl

    answer = bytearray(CAPABILITY.size)
    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, _VIDIOC_QUERYCAP, answer)
    except OSError as error:
        raise OSError(errno.ENOTTY, "it is not a Video4Linux device") from error
    finally:
        os.close(descriptor)
    return int(CAPABILITY.unpack(answer)[5])


def open_errno(path: Path | str, mode: int) -> int:
    """Open and close a device file; return 0 on success, else the error number."""
    try:
        os.close(os.open(path, mode | getattr(os, "O_NONBLOCK", 0)))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def programs_using(device: Path, proc: Path = PROC) -> list[str]:
    """Name the other programs that have the device open ("obs (process 4711)"), as far as this user may see them."""
    real_path, programs = str(device.resolve()), []
    for process in sorted(proc.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if process.name != str(os.getpid()) and _count_open(process, real_path):
            name = "a program"
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip() or name
            programs.append(f"{name} (process {process.name})")
    return programs


def count_descriptors(device: Path, proc: Path = PROC) -> tuple[int, int] | None:
    """Count the open descriptors of the device: of this process, and of all other visible processes.

    Returns:
        (own, other); None if /proc does not even show this process.
    """
    own_pid = str(os.getpid())
    if not (proc / own_pid / "fd").is_dir():
        return None
    real_path = str(device.resolve())
    counts = {process.name: _count_open(process, real_path) for process in proc.glob("[0-9]*")}
    own = counts.pop(own_pid, 0)
    return own, sum(counts.values())


def _count_open(process: Path, real_path: str) -> int:
    count = 0
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(process / "fd"):  # noqa: PTH208 - there are thousands: strings are faster
            with contextlib.suppress(OSError):
                count += os.readlink(f"{process}/fd/{descriptor}") == real_path  # noqa: PTH115
    return count
