"""Why a virtual camera does not open on this system, and the steps that fix it."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
from pathlib import Path

from live.v4l2_devices import open_errno, programs_using

ROOT = Path("/")
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


def explain_open_failure(
    device: str | None, failure: str, *, system: str = sys.platform, root: Path = ROOT
) -> tuple[str, str]:
    """Return what is wrong and what to do, for a SinkError.

    Args:
        device: The requested device; None for the first one.
        failure: The message of pyvirtualcam, used if no better explanation is found.
    """
    if system == "win32" or system == "darwin":
        allow = _ALLOW_ON_MAC if system == "darwin" else ""
        if "already" in failure.lower() or "in use" in failure.lower():
            return "another program is sending pictures to it", "stop that program's virtual camera (OBS?), try again"
        return "the virtual camera of OBS is not there", OBS_STEPS.format(allow=allow)
    if not (root / "sys" / "module" / "v4l2loopback").exists():
        if _is_module_installed(root):
            return "the kernel module v4l2loopback is not loaded", LOAD_MODULE
        return "the kernel module v4l2loopback is not installed", f"{_install_command()}, then {LOAD_MODULE}"
    cameras = loopback_devices(root)
    node = Path(device) if device is not None else next(iter(cameras), None)
    if node is None:
        return "v4l2loopback is loaded but has no device", RELOAD_MODULE
    alternatives = f"use {' or '.join(map(str, cameras))}" if cameras else RELOAD_MODULE
    if not node.exists():
        return f"{node} does not exist", alternatives
    if node.resolve() not in [camera.resolve() for camera in cameras]:
        return f"{node} is no virtual camera", alternatives
    return _explain_refusal(node, failure, root)


def _explain_refusal(node: Path, failure: str, root: Path) -> tuple[str, str]:
    """Explain why an existing virtual camera does not open."""
    code = open_errno(node, os.O_WRONLY)
    if code in (errno.EACCES, errno.EPERM):
        return f"you may not write to {node}", f"{JOIN_GROUP.format(group=_group(node))}, then log out and in again"
    programs = programs_using(node, root / "proc")
    # With exclusive_caps=1, this is the error of a second writer.
    has_other_writer = programs and "not a video output device" in failure
    if has_other_writer or code == errno.EBUSY or "busy" in failure.lower() or "in use" in failure.lower():
        user = " and ".join(programs) or "another program"
        return f"{node} is in use by {user}", "close that program, or make a second device: devices=2 video_nr=10,11"
    got = f"{node} refuses: {' '.join(failure.split()) or 'no reason given'}"
    do = f"close the programs that use it ({', '.join(programs)}), then " if programs else ""
    return got, do + RELOAD_MODULE


def loopback_devices(root: Path = ROOT) -> list[Path]:
    """Return the device files of v4l2loopback, by number (webcams and the kernel's test drivers are on a bus)."""
    folder = root / "sys" / "devices" / "virtual" / "video4linux"
    devices = [root / "dev" / entry.name for entry in folder.glob("video*")]
    return sorted(devices, key=lambda node: (len(node.name), node.name))


def _group(node: Path) -> str:
    group = "root"
    with contextlib.suppress(OSError, KeyError, NotImplementedError):
        group = node.group()
    return "video" if group == "root" else group


def _is_module_installed(root: Path) -> bool:
    with contextlib.suppress(OSError):
        index = root / "lib" / "modules" / platform.release() / "modules.dep"
        return b"v4l2loopback" in index.read_bytes()
    return False


def _install_command() -> str:
    families: list[str] = []
    with contextlib.suppress(OSError):
        about = platform.freedesktop_os_release()
        families = [about["ID"], *about.get("ID_LIKE", "").split()]
    commands = (command for family, command in INSTALL_MODULE.items() if family in families)
    return next(commands, "install the package v4l2loopback-dkms")
