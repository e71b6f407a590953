"""The cameras of this machine, and why one of them does not open."""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engines.errors import SourceError
from live.v4l2_devices import CAN_CAPTURE, CAN_OUTPUT, device_capabilities, open_errno, programs_using


@dataclass(frozen=True, slots=True)
class CameraNode:
    """One camera device.

    Attributes:
        path: Device file.
        name: Name reported by the device.
        bus_location: Bus address and index among the devices of one camera; empty if unknown.
    """

    path: str
    name: str
    bus_location: str = ""

    def is_same_camera(self, earlier: CameraNode) -> bool:
        """Return whether this is the same camera as `earlier`, possibly under another device file."""
        is_same_place = self.bus_location == earlier.bus_location if self.bus_location else self.path == earlier.path
        return is_same_place and self.name == earlier.name

    def __str__(self) -> str:
        return f"{self.path} ({self.name})" if self.name else self.path


class CameraDevices:
    """The cameras of the system: Video4Linux device files; other systems offer no list of cameras."""

    def __init__(self, dev: Path = Path("/dev"), sys_class: Path = Path("/sys/class/video4linux")) -> None:
        self._dev, self._class = dev, sys_class

    def nodes(self) -> list[CameraNode] | None:
        """Return the capture devices, by number, without metadata devices; None if this system has no list of them."""
        if not sys.platform.startswith("linux"):
            return None
        return [node for node in self._all_nodes() if _may_capture(node.path)]

    def _all_nodes(self) -> list[CameraNode]:
        numbers = sorted(int(p.name[5:]) for p in self._dev.glob("video*") if re.fullmatch(r"video\d+", p.name))
        return [node for number in numbers if (node := self.node(str(self._dev / f"video{number}"))) is not None]

    def node(self, path: str) -> CameraNode | None:
        """Return the device at a path or link, as described in /sys, without opening it; None if there is none."""
        if not os.path.exists(path):  # noqa: PTH110 - pathlib would read an empty path as "."
            return None
        entry = self._class / Path(path).resolve().name
        device, index = entry / "device", _read_text(entry / "index")
        return CameraNode(path, _read_text(entry / "name"), f"{device.resolve()} {index}" if device.exists() else "")

    def find_again(self, earlier: CameraNode) -> CameraNode | None:
        """Return the current device of a camera, without opening it; None while it is disconnected."""
        current = self.node(earlier.path)
        if current is not None and current.is_same_camera(earlier):
            return current
        return next((node for node in self._all_nodes() if node.is_same_camera(earlier)), None)

    def open_errno(self, path: str) -> int:
        """Return 0 if the device can be opened for reading and writing, else the error number."""
        return open_errno(path, os.O_RDWR)

    def programs_using(self, path: str) -> list[str]:
        """Name the other programs that have the device open ("zoom (process 1234)"), as far as /proc shows them."""
        return programs_using(Path(path))


def is_capture_only(path: str) -> bool | None:
    """Return whether the device can capture and not output at this moment; Chrome lists only such devices.

    Returns None if the capabilities cannot be read.
    """
    try:
        capabilities = device_capabilities(path)
    except (OSError, ImportError):  # ImportError: not Linux
        return None
    return bool(capabilities & CAN_CAPTURE) and not capabilities & CAN_OUTPUT


def _may_capture(path: str) -> bool:
    """Return whether the device captures video; True if that is unknown (no permission, busy)."""
    try:
        return bool(device_capabilities(path) & CAN_CAPTURE)
    except OSError as error:
        return error.errno != errno.ENOTTY


def _read_text(file: Path) -> str:
    with suppress(OSError):
        return file.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def explain_camera_failure(name: str, path: str | None, devices: CameraDevices) -> SourceError:
    """Return an error that says why a camera gives no picture and what to do.

    `name` is the camera in the user's words ("camera 0"), `path` its device file; None if the system has none.
    """
    nodes = devices.nodes()
    if nodes is None or path is None:
        return SourceError(
            name,
            "it does not open",
            "check that it is plugged in, that no other program uses it and that the privacy settings allow it",
        )
    alternatives = "choose one of: " + ", ".join(map(str, nodes)) if nodes else "plug one in, or try --source demo"
    code = devices.open_errno(path)
    if code == errno.ENOENT:
        return SourceError(name, "no such device" if nodes else "this machine has no camera", alternatives)
    if code in (errno.EACCES, errno.EPERM):
        remedy = "join the group 'video' (sudo usermod -aG video $USER) and log in again"
        return SourceError(name, f"no permission to open {path}", remedy)
    programs = devices.programs_using(path)
    if code == errno.EBUSY or (code == 0 and programs):
        user = " and ".join(programs) or "another program"
        return SourceError(name, f"busy, {path} is in use by {user}", "close that program and try again")
    if code != 0:
        return SourceError(name, f"{path} does not answer ({os.strerror(code)})", "unplug it and plug it in again")
    if all(os.path.realpath(node.path) != os.path.realpath(path) for node in nodes):
        return SourceError(name, f"{path} captures no video, it is not a camera", alternatives)
    remedy = "close other programs that may use it, else unplug it and plug it in again"
    return SourceError(name, f"{path} opens but sends no picture (busy or hung)", remedy)
