"""Why a virtual camera does not open on this very system, and the exact steps that make it."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

LOAD_MODULE = 'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="Veneer" exclusive_caps=1'
RELOAD_MODULE = f"sudo modprobe -r v4l2loopback && {LOAD_MODULE}"
INSTALL_MODULE = {
    "debian": "sudo apt install v4l2loopback-dkms",
    "fedora": "sudo dnf install akmod-v4l2loopback (from RPM Fusion)",
    "arch": "sudo pacman -S v4l2loopback-dkms",
}
JOIN_GROUP = "sudo usermod -aG {group} $USER"
OBS_STEPS = (
    "install OBS Studio 30 or later (obsproject.com), open it, press 'Start Virtual Camera' once{allow}, press "
    "'Stop Virtual Camera', close OBS, and try again"
)
_ALLOW_ON_MAC = " and allow its camera extension in the system settings"


@dataclass(frozen=True, slots=True)
class LinuxPaths:
    """Where Linux keeps what is looked at here; tests put a folder in its place."""

    dev: Path = Path("/dev")
    sys: Path = Path("/sys")
    proc: Path = Path("/proc")
    modules: Path = Path("/lib/modules")
    os_release: Path = Path("/etc/os-release")


def explain(
    device: str | None, failure: str, *, system: str = sys.platform, paths: LinuxPaths | None = None
) -> tuple[str, str]:
    """What is wrong and what to do, in the user's words.

    Args:
        device: as asked for; None for the first one there is.
        failure: what the library said, used where nothing better is known.
        system: as sys.platform.
        paths: for tests.

    Returns:
        (got, do) for a SinkError.
    """
    if system == "win32" or system == "darwin":
        allow = _ALLOW_ON_MAC if system == "darwin" else ""
        if "already" in failure.lower() or "in use" in failure.lower():
            return "another program is sending pictures to it", "stop that program's virtual camera (OBS?), try again"
        return "the virtual camera of OBS is not there", OBS_STEPS.format(allow=allow)
    return _explain_linux(device, failure, paths or LinuxPaths())


def _explain_linux(device: str | None, failure: str, paths: LinuxPaths) -> tuple[str, str]:
    if not (paths.sys / "module" / "v4l2loopback").exists():
        if _is_module_installed(paths):
            return "the kernel module v4l2loopback is not loaded", LOAD_MODULE
        return "the kernel module v4l2loopback is not installed", f"{_install_step(paths)}, then {LOAD_MODULE}"
    cameras = loopback_devices(paths)
    node = Path(device) if device is not None else next(iter(cameras), None)
    if node is None:
        return "v4l2loopback is loaded but has no device", RELOAD_MODULE
    if not node.exists():
        return f"{node} does not exist", _name_others(cameras) or RELOAD_MODULE
    if node.resolve() not in [camera.resolve() for camera in cameras]:
        return f"{node} is no virtual camera", _name_others(cameras) or RELOAD_MODULE
    return _explain_refusal(node, failure, paths)


def _explain_refusal(node: Path, failure: str, paths: LinuxPaths) -> tuple[str, str]:
    """The device is there and is a virtual camera, yet it did not open."""
    code = _open_errno(node)
    if code in (errno.EACCES, errno.EPERM):
        return f"you may not write to {node}", f"{JOIN_GROUP.format(group=_group(node))}, then log out and in again"
    holders = programs_using(node, paths)
    taken = holders and "not a video output device" in failure  # what exclusive_caps=1 makes of a second writer
    if taken or code == errno.EBUSY or "busy" in failure.lower() or "in use" in failure.lower():
        who = " and ".join(holders) or "another program"
        return f"{node} is in use by {who}", "close that program, or make a second device: devices=2 video_nr=10,11"
    got = f"{node} refuses: {' '.join(failure.split()) or 'no reason given'}"
    do = f"close the programs that use it ({', '.join(holders)}), then " if holders else ""
    return got, do + RELOAD_MODULE


def loopback_devices(paths: LinuxPaths | None = None) -> list[Path]:
    """The device files that v4l2loopback made, by number (cameras, and the kernel's test cameras, hang on a bus)."""
    paths = paths or LinuxPaths()
    folder = paths.sys / "devices" / "virtual" / "video4linux"
    found = [paths.dev / entry.name for entry in folder.glob("video*")]
    return sorted(found, key=lambda node: (len(node.name), node.name))


def programs_using(node: Path, paths: LinuxPaths | None = None) -> list[str]:
    """The programs that have the device open ("obs (process 4711)"), as far as this user may see; not this one."""
    paths = paths or LinuxPaths()
    real, found = str(node.resolve()), []
    for process in sorted(paths.proc.glob("[0-9]*"), key=lambda entry: int(entry.name)):
        if process.name != str(os.getpid()) and _count_open(process, real):
            name = "a program"
            with contextlib.suppress(OSError):
                name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip() or name
            found.append(f"{name} (process {process.name})")
    return found


def descriptors_on(node: Path, paths: LinuxPaths | None = None) -> tuple[int, int] | None:
    """How many open descriptors point at the device: this process's own, and those of others that can be seen.

    None where /proc does not even show this process.
    """
    paths = paths or LinuxPaths()
    if not (paths.proc / str(os.getpid()) / "fd").is_dir():
        return None
    real, own, others = str(node.resolve()), 0, 0
    for process in paths.proc.glob("[0-9]*"):
        count = _count_open(process, real)
        own, others = (count, others) if process.name == str(os.getpid()) else (own, others + count)
    return own, others


def _count_open(process: Path, real: str) -> int:
    count = 0
    with contextlib.suppress(OSError):
        for descriptor in os.listdir(process / "fd"):  # noqa: PTH208 - thousands of them: strings are faster
            with contextlib.suppress(OSError):
                count += os.readlink(f"{process}/fd/{descriptor}") == real  # noqa: PTH115
    return count


def _name_others(cameras: list[Path]) -> str:
    return f"use {' or '.join(str(camera) for camera in cameras)}" if cameras else ""


def _open_errno(node: Path) -> int | None:
    try:
        os.close(os.open(node, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0)))
    except OSError as failure:
        return failure.errno
    return None


def _group(node: Path) -> str:
    group = "root"
    with contextlib.suppress(OSError, KeyError, NotImplementedError):
        group = node.group()
    return "video" if group == "root" else group


def _is_module_installed(paths: LinuxPaths) -> bool:
    with contextlib.suppress(OSError):
        index = (paths.modules / platform.release() / "modules.dep").read_text(encoding="utf-8", errors="replace")
        return "v4l2loopback" in index
    return False


def _install_step(paths: LinuxPaths) -> str:
    known = ""
    with contextlib.suppress(OSError):
        lines = paths.os_release.read_text(encoding="utf-8", errors="replace").lower().splitlines()
        known = " ".join(line.partition("=")[2].strip("\"'") for line in lines if line.startswith(("id=", "id_like=")))
    for family, step in INSTALL_MODULE.items():
        if family in known.split():
            return step
    return "install the package v4l2loopback-dkms"
