"""Error messages of cameras that do not open."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from support.fakes_camera import FakeCamera, FakeCameraDevices

from engines.errors import SourceError
from live.sources.camera_devices import CameraDevices, is_capture_only
from live.sources.camera_source import CameraSource

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files are read on Linux only")


@on_linux
@pytest.mark.parametrize(
    ("devices", "got", "do"),
    [
        (FakeCameraDevices(), "this machine has no camera", "--source demo"),
        (FakeCameraDevices("Built-in"), "no such device", "/dev/video0 (Built-in)"),
        (FakeCameraDevices("A", "B", "C", "D", numbers={"/dev/video3": errno.EBUSY}), "busy", "close that program"),
        (
            FakeCameraDevices("A", "B", "C", "D", programs=["zoom (process 41)"]),
            "zoom (process 41)",
            "close that program",
        ),
        (
            FakeCameraDevices("A", "B", "C", "D", numbers={"/dev/video3": errno.EACCES}),
            "no permission",
            "usermod -aG video",
        ),
        (FakeCameraDevices("A", numbers={"/dev/video3": errno.ENODEV}), "does not answer", "unplug it"),
        (FakeCameraDevices("A", numbers={"/dev/video3": 0}), "not a camera", "/dev/video0 (A)"),
        (FakeCameraDevices("A", "B", "C", "D"), "sends no picture", "close other programs"),
    ],
    ids=["none", "other number", "busy", "held", "permission", "gone", "metadata", "silent"],
)
def test_camera_open_failure_is_explained(devices: FakeCameraDevices, got: str, do: str) -> None:
    camera = FakeCamera()
    camera.plugged = False
    source = CameraSource(3, opener=camera.opener, devices=devices)
    with pytest.raises(SourceError) as caught:
        source.open()
    assert caught.value.asked == "camera 3"
    assert got in caught.value.got and do in caught.value.do
    assert "\n" not in str(caught.value)
    source.close()
    assert camera.released == camera.opened


def test_camera_without_frames_is_released() -> None:
    camera = FakeCamera()
    camera.sends = False
    source = CameraSource(0, opener=camera.opener, devices=FakeCameraDevices("Webcam"), first_frame_timeout_s=0.2)
    with pytest.raises(SourceError):
        source.open()
    assert camera.released == camera.opened == 1


@on_linux
def test_missing_camera_prints_nothing_else(capfd: pytest.CaptureFixture[str]) -> None:
    source = CameraSource("/dev/video987")
    with pytest.raises(SourceError, match="/dev/video987"):
        source.open()
    source.close()
    captured = capfd.readouterr()
    assert captured.out == captured.err == "", "OpenCV's own warnings are suppressed"


@on_linux
def test_only_capture_devices_are_listed(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    (tmp_path / "video0.txt").touch()
    assert CameraDevices(tmp_path).nodes() == []


@on_linux
def test_camera_is_identified_by_name_and_bus_location(tmp_path: Path) -> None:
    dev, sys_class = tmp_path / "dev", tmp_path / "class"
    dev.mkdir()

    def add_device(number: int, name: str, port: str, index: int = 0) -> None:
        (dev / f"video{number}").touch()
        entry, device = sys_class / f"video{number}", tmp_path / "bus" / port
        device.mkdir(parents=True, exist_ok=True)
        entry.mkdir(parents=True)
        (entry / "name").write_text(name + "\n")
        (entry / "index").write_text(f"{index}\n")
        (entry / "device").symlink_to(device)

    add_device(0, "Webcam", "1-1")
    add_device(1, "Webcam", "1-1", index=1)  # the metadata device of the first
    add_device(2, "Webcam", "1-2")
    devices = CameraDevices(dev, sys_class)
    first = devices.node(str(dev / "video0"))
    assert first is not None and first.name == "Webcam" and devices.find_again(first) == first
    (dev / "video0").unlink()
    assert devices.node(str(dev / "video0")) is None and devices.find_again(first) is None
    add_device(7, "Webcam", "1-1")
    assert devices.find_again(first) == devices.node(str(dev / "video7"))
    (dev / "by-name").symlink_to(dev / "video2")
    linked = devices.node(str(dev / "by-name"))
    assert linked is not None and linked.name == "Webcam"


@on_linux
def test_capture_only_is_unknown_for_ordinary_files(tmp_path: Path) -> None:
    (tmp_path / "video0").touch()
    assert is_capture_only(str(tmp_path / "video0")) is None
    assert is_capture_only(str(tmp_path / "video1")) is None


@on_linux
def test_program_using_a_device_is_named(tmp_path: Path) -> None:
    device = tmp_path / "video0"
    device.touch()
    assert CameraDevices().programs_using(str(device)) == []
    script = f"import sys; file = open({str(device)!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline().strip() == b"held"
        (program,) = CameraDevices().programs_using(str(device))
        other.communicate()
    assert f"(process {other.pid})" in program
    assert CameraDevices().open_errno(str(device)) == 0
    assert CameraDevices().open_errno(str(tmp_path / "video7")) == errno.ENOENT
