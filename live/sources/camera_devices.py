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

# linux/videodev2.h: _IOR('V', 0, struct v4l2_capability), the two flags of a device that gives pictures, and of one
# that takes them.
_VIDIOC_QUERYCAP = 0x80685600
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_GIVES_PICTURES, _TAKES_PICTURES = 0x00000001 | 0x00001000, 0x00000002 | 0x00002000


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One camera of this machine.

    Attributes:
        path: its device file.
        name: what it calls itself.
        place: where it is plugged in, and which of several devices of one camera it is; empty where nothing tells.
    """

    path: str
    name: str
    place: str = ""

    def is_again(self, before: CameraNode) -> bool:
        """Whether this is the camera that was seen before, perhaps under another device file now."""
        where = self.place == before.place if self.place else self.path == before.path
        return where and self.name == before.name

    def __str__(self) -> str:
        return f"{self.path} ({self.name})" if self.name else self.path


class Devices(Protocol):
    """What the system says of its cameras without streaming from them."""

    def nodes(self) -> list[CameraNode] | None:
        """The cameras that are plugged in; None where this system has no list of them."""
        ...

    def node(self, path: str) -> CameraNode | None:
        """What is at that device file, without opening it; None where nothing is."""
        ...

    def again(self, before: CameraNode) -> CameraNode | None:
        """The same camera as it is found now, without opening any; None while it is not plugged in."""
        ...

    def open_errno(self, path: str) -> int:
        """0 where the device file opens, else the error number."""
        ...

    def holder(self, path: str) -> str:
        """The other program that has the device open ("zoom, process 1234"); empty where none is seen."""
        ...


class SystemDevices:
    """The real thing: Video4Linux device files; other systems keep no such list."""

    def __init__(self, dev: Path = Path("/dev"), sys_class: Path = Path("/sys/class/video4linux")) -> None:
        self._dev, self._class = dev, sys_class

    def nodes(self) -> list[CameraNode] | None:
        """The Video4Linux devices that give pictures, by number; a webcam's metadata device is left out."""
        if not sys.platform.startswith("linux"):
            return None
        return [node for node in self._all() if _gives_pictures(node.path)]

    def _all(self) -> list[CameraNode]:
        numbers = sorted(int(p.name[5:]) for p in self._dev.glob("video*") if re.fullmatch(r"video\d+", p.name))
        return [node for number in numbers if (node := self.node(str(self._dev / f"video{number}"))) is not None]

    def node(self, path: str) -> CameraNode | None:
        """What is at that device file (a link to one counts), as /sys describes it."""
        if not os.path.exists(path):  # noqa: PTH110 - an empty path is no path to pathlib, and nothing here
            return None
        entry = self._class / Path(path).resolve().name
        device, index = entry / "device", _text(entry / "index")
        return CameraNode(path, _text(entry / "name"), f"{device.resolve()} {index}" if device.exists() else "")

    def again(self, before: CameraNode) -> CameraNode | None:
        """The same camera: under the file it had, else under any."""
        here = self.node(before.path)
        if here is not None and here.is_again(before):
            return here
        return next((node for node in self._all() if node.is_again(before)), None)

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
    try:
        return bool(_caps(path) & _GIVES_PICTURES)
    except OSError as error:
        return error.errno != errno.ENOTTY


def is_mere_camera(path: str) -> bool | None:
    """Whether the device gives pictures and takes none, just now: Chrome lists no others. None where nobody tells."""
    try:
        caps = _caps(path)
    except (OSError, ImportError):  # not Linux
        return None
    return bool(caps & _GIVES_PICTURES) and not caps & _TAKES_PICTURES


def _caps(path: str) -> int:
    """What the device says it can do.

    Raises:
        OSError: it does not open, or is no Video4Linux device (ENOTTY).
    """
    import fcntl

    answer = bytearray(_CAPABILITY.size)
    handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(handle, _VIDIOC_QUERYCAP, answer)
    except OSError as error:
        raise OSError(errno.ENOTTY, "it does not say what it can do") from error
    finally:
        os.close(handle)
    return int(_CAPABILITY.unpack(answer)[5])


def _text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").strip()
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
