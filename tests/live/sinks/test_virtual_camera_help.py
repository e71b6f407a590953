"""Explanations of a virtual camera that does not open, for system states simulated by files."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import pytest

from live.sinks.virtual_camera_help import LOAD_MODULE, explain_open_failure
from live.v4l2_devices import programs_using


@pytest.fixture
def linux(tmp_path: Path) -> Path:
    """A Linux system with v4l2loopback loaded and one accessible device, /dev/video10."""
    for folder in ("dev", "proc", "sys/module/v4l2loopback", "sys/devices/virtual/video4linux/video10"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dev" / "video10").write_text("")
    return tmp_path


def _explain(device: str | None, failure: str, root: Path) -> tuple[str, str]:
    return explain_open_failure(device, failure, system="linux", root=root)


def test_module_installed_but_not_loaded(linux: Path) -> None:
    (linux / "sys" / "module" / "v4l2loopback").rmdir()
    folder = linux / "lib" / "modules" / os.uname().release
    folder.mkdir(parents=True)
    (folder / "modules.dep").write_text(
        "updates/dkms/v4l2loopback.ko.zst: kernel/drivers/media/v4l2-core/videodev.ko\n"
    )
    got, do = _explain(None, "", linux)
    assert got == "the kernel module v4l2loopback is not loaded"
    assert do == 'sudo modprobe v4l2loopback devices=1 video_nr=10 card_label="Veneer" exclusive_caps=1'


@pytest.mark.parametrize(
    ("os_release", "install"),
    [
        ("ID=ubuntu\nID_LIKE=debian\n", "sudo apt install v4l2loopback-dkms"),
        ('ID="fedora"\n', "akmod-v4l2loopback"),
        ("ID=manjaro\nID_LIKE=arch\n", "sudo pacman -S v4l2loopback-dkms"),
        ("ID=nixos\n", "v4l2loopback-dkms"),
        (None, "v4l2loopback-dkms"),
    ],
)
def test_module_not_installed(
    linux: Path, os_release: str | None, install: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (linux / "sys" / "module" / "v4l2loopback").rmdir()
    if os_release is not None:
        (linux / "os-release").write_text(os_release)
    monkeypatch.setattr(platform, "_os_release_cache", None)
    monkeypatch.setattr(platform, "_os_release_candidates", (str(linux / "os-release"),))
    got, do = _explain(None, "", linux)
    assert "not installed" in got
    assert install in do
    assert do.endswith(LOAD_MODULE)


def test_module_without_a_device(linux: Path) -> None:
    (linux / "sys" / "devices" / "virtual" / "video4linux" / "video10").rmdir()
    got, do = _explain(None, "", linux)
    assert "has no device" in got
    assert do == f"sudo modprobe -r v4l2loopback && {LOAD_MODULE}"


@pytest.mark.parametrize(("name", "got"), [("video77", "does not exist"), ("video0", "is no virtual camera")])
def test_wrong_device(linux: Path, name: str, got: str) -> None:
    (linux / "dev" / "video0").write_text("a webcam")
    actual, do = _explain(str(linux / "dev" / name), "", linux)
    assert got in actual
    assert do == f"use {linux / 'dev' / 'video10'}"


def test_missing_permission_names_the_group(linux: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)  # permissions do not apply to root
    monkeypatch.setattr(Path, "group", lambda _: "video")
    got, do = _explain(None, "", linux)
    assert got == f"you may not write to {linux / 'dev' / 'video10'}"
    assert do == "sudo usermod -aG video $USER, then log out and in again"


@pytest.mark.parametrize(
    "failure", ["Device or resource busy", "'v4l2loopback' backend: Device /dev/video10 is not a video output device."]
)
def test_busy_device_names_its_program(linux: Path, failure: str) -> None:
    for number, name in ((4711, "obs"), (4712, "unrelated")):
        (linux / "proc" / str(number) / "fd").mkdir(parents=True)
        (linux / "proc" / str(number) / "comm").write_text(f"{name}\n")
    (linux / "proc" / "4711" / "fd" / "9").symlink_to(linux / "dev" / "video10")
    (linux / "proc" / "4712" / "fd" / "9").symlink_to("/dev/null")
    (linux / "proc" / "self").symlink_to("4711")
    got, do = _explain(str(linux / "dev" / "video10"), failure, linux)
    assert got == f"{linux / 'dev' / 'video10'} is in use by obs (process 4711)"
    assert "close that program" in do


def test_busy_device_of_an_invisible_program(linux: Path) -> None:
    got, _ = _explain(None, "Device or resource busy", linux)
    assert got.endswith("is in use by another program")


def test_unknown_refusal_is_one_line(linux: Path) -> None:
    got, do = _explain(None, "'v4l2loopback' backend: VIDIOC_S_FMT\nfailed", linux)
    assert got.endswith("refuses: 'v4l2loopback' backend: VIDIOC_S_FMT failed")
    assert do.endswith(LOAD_MODULE)


def test_real_programs_are_found(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("no /proc on this system")
    held = tmp_path / "held"
    held.write_text("")
    with held.open() as file, subprocess.Popen(["sleep", "60"], stdin=file) as other:
        try:
            assert programs_using(held) == [f"sleep (process {other.pid})"]
        finally:
            other.kill()


@pytest.mark.parametrize("system", ["win32", "darwin"])
def test_windows_and_macos_recommend_obs(system: str) -> None:
    got, do = explain_open_failure(
        None, "'obs' backend: OBS Virtual Camera device not found! Did you install OBS?", system=system
    )
    assert "OBS" in got
    assert "30 or later" in do and "Start Virtual Camera" in do and "Stop Virtual Camera" in do
    assert ("extension" in do) == (system == "darwin")
    got, do = explain_open_failure(None, "virtual camera output is already in use", system=system)
    assert got == "another program is sending pictures to it"
