"""Which cameras this machine has, and why one of them does not open."""

from __future__ import annotations

import errno
import os
import re
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engines.errors import SourceError

# linux/videodev2.h: _IOR('V', 0, struct v4l2_capability) and the two flags of a device that gives pictures.
_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_GIVES_PICTURES = 0x00000001 | 0x00001000


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One camera of this machine: its device file and the name it gives itself."""

    path: str
    name: str

    def __str__(self) -> str:
        return f"{self.path} ({self.name})" if self.name else self.path


class Devices(Protocol):
    """What the system says of its cameras without streaming from them."""

    def nodes(self) -> list[CameraNode] | None:
        """The cameras that are plugged in; None where this system has no list of them."""
        ...

    def open_errno(self, path: str) -> int:
        """0 where the device file opens, else the error number."""
        ...

    def holder(self, path: str) -> str:
        """The other program that has the device open ("zoom, process 1234"); empty where none is seen."""
        ...


class SystemDevices:
    """The real thing: Video4Linux device files; other systems keep no such list."""

    def __init__(self, dev: Path = Path("/dev")) -> None:
        self._dev = dev

    def nodes(self) -> list[CameraNode] | None:
        """The Video4Linux devices that give pictures, by number; a webcam's metadata device is left out."""
        if not sys.platform.startswith("linux"):
            return None
        numbers = sorted(int(p.name[5:]) for p in self._dev.glob("video*") if re.fullmatch(r"video\d+", p.name))
        paths = [str(self._dev / f"video{number}") for number in numbers]
        return [CameraNode(path, _name(path)) for path in paths if _gives_pictures(path)]

    def open_errno(self, path: str) -> int:
        """0 where the device file opens for reading and writing, as a camera must, else the error number."""
        try:
            os.close(os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0)))
        except OSError as error:
            return error.errno or errno.EIO
        return 0

    def holder(self, path: str) -> str:
        """Another process of this user that has the file open, from /proc; empty where none is seen."""
        wanted = os.path.realpath(path)
        for process in Path("/proc").glob("[0-9]*"):
            if int(process.name) == os.getpid():
                continue
            with suppress(OSError):
                if any(os.path.realpath(link) == wanted for link in (process / "fd").iterdir()):
                    return f"{(process / 'comm').read_text().strip()}, process {process.name}"
        return ""


def _gives_pictures(path: str) -> bool:
    """Whether the device captures video; True as well where it cannot be asked (no permission, busy)."""
    import fcntl

    answer = bytearray(_CAPABILITY.size)
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return True
    try:
        fcntl.ioctl(handle, _VIDIOC_QUERYCAP, answer)
    except OSError:
        return False
    finally:
        os.close(handle)
    return bool(_CAPABILITY.unpack(answer)[5] & _GIVES_PICTURES)


def _name(path: str) -> str:
    with suppress(OSError):
        return Path("/sys/class/video4linux", Path(path).name, "name").read_text().strip()
    return ""


def explain(asked: str, path: str | None, devices: Devices) -> SourceError:
    """Why the camera gives no picture, as an error that says what to do.

    Args:
        asked: the camera in the user's words ("camera 0").
        path: its device file; None where the system has none.
        devices: the system's cameras.
    """
    nodes = devices.nodes()
    if nodes is None or path is None:
        return SourceError(
            asked,
            "it does not open",
            "see that it is plugged in, that no other program uses it and that the system's privacy settings allow it",
        )
    others = "choose one of: " + ", ".join(map(str, nodes)) if nodes else "plug one in, or try --source demo"
    code = devices.open_errno(path)
    if code == errno.ENOENT:
        return SourceError(asked, "no such device" if nodes else "this machine has no camera", others)
    if code in (errno.EACCES, errno.EPERM):
        remedy = "join the group 'video' (sudo usermod -aG video $USER) and log in again"
        return SourceError(asked, f"no permission to open {path}", remedy)
    holder = devices.holder(path)
    if code == errno.EBUSY or (code == 0 and holder):
        who = f"another program ({holder})" if holder else "another program"
        return SourceError(asked, f"busy, {who} holds {path}", "close that program and try again")
    if code != 0:
        return SourceError(asked, f"{path} does not answer ({os.strerror(code)})", "unplug it and plug it in again")
    if all(os.path.realpath(node.path) != os.path.realpath(path) for node in nodes):
        return SourceError(asked, f"{path} gives no pictures, it is not a camera", others)
    remedy = "close other programs that may hold it, else unplug it and plug it in again"
    return SourceError(asked, f"{path} opens but sends no picture (busy or hung)", remedy)
