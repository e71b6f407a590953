"""VirtualCameraSink: sizes, locks, and error messages."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support.fakes_virtualcam import FakeVirtualCameras
from support.root import ROOT

from engines.errors import SinkError
from live.pipeline.frame import Frame
from live.sinks.v4l2loopback.device_lock import DeviceLock
from live.sinks.virtual_camera import VirtualCameraSink
from live.sinks.virtual_camera_help import LOAD_MODULE, loopback_devices


def _frame(size_wh: tuple[int, int], level: int = 100) -> Frame:
    return Frame(np.full((size_wh[1], size_wh[0], 3), level, np.uint8), 0, 0.0)


def _sink(cameras: FakeVirtualCameras, tmp_path: Path, device: str | None = None) -> VirtualCameraSink:
    return VirtualCameraSink(device, camera=cameras, lock_dir=tmp_path)


def test_frames_reach_the_camera_unchanged(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(1280, 720), fps=29.97)
    picture_bgr = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), dtype=np.uint8)
    sink.send(Frame(picture_bgr, 0, 0.0))
    sink.close()
    (camera,) = cameras.opened
    assert (camera.size_wh, camera.fps, camera.fmt, camera.print_fps) == ((1280, 720), 29.97, "BGR", False)
    assert (camera.frames[0] == picture_bgr).all()
    assert camera.closed == 1


def test_names_and_kind() -> None:
    assert VirtualCameraSink().name == "virtual-camera"
    named = VirtualCameraSink("/dev/video10")
    assert (named.name, named.live, named.main_thread) == ("virtual-camera:/dev/video10", True, False)


@pytest.mark.parametrize(
    ("size_wh", "camera_wh"),
    [((641, 480), (642, 480)), ((641, 481), (642, 482)), ((1, 1), (48, 32)), ((30, 700), (48, 700))],
)
def test_odd_and_tiny_sizes(tmp_path: Path, size_wh: tuple[int, int], camera_wh: tuple[int, int]) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=size_wh, fps=30)
    sink.send(_frame(size_wh))
    sink.close()
    assert cameras.opened[0].size_wh == camera_wh
    assert cameras.opened[0].frames[0].shape == (camera_wh[1], camera_wh[0], 3)


def test_odd_size_has_no_black_edge(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(641, 481), fps=30)
    sink.send(_frame((641, 481)))
    sink.close()
    assert (cameras.opened[0].frames[0] == 100).all()


def test_frames_of_another_size_are_fitted_into_the_camera(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(640, 480), fps=30)
    for size_wh in ((640, 480), (480, 640), (7680, 4320), (1, 1)):
        sink.send(_frame(size_wh))
    sink.close()
    upright = cameras.opened[0].frames[1]
    assert upright.shape == (480, 640, 3)
    assert (upright[:, 320] == 100).all()
    assert (upright[:, 10] == 0).all()


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_unknown_frame_rate_uses_the_default(tmp_path: Path, fps: float) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(640, 480), fps=fps)
    sink.close()
    assert cameras.opened[0].fps == 30


def test_send_does_not_wait(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(64, 48), fps=1)
    began_s = time.monotonic()
    for _ in range(20):
        sink.send(_frame((64, 48)))
    assert time.monotonic() - began_s < 10, "20 paced frames would take 20 s"
    sink.close()


def test_lost_camera_is_a_one_line_error(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras()
    sink = _sink(cameras, tmp_path)
    sink.open(size_wh=(64, 48), fps=30)
    cameras.opened[0].broken = RuntimeError("error writing frame:\nNo such device")
    with pytest.raises(SinkError, match="no longer takes pictures") as caught:
        sink.send(_frame((64, 48)))
    assert "\n" not in str(caught.value)
    sink.close()
    assert cameras.opened[0].closed == 1


def test_close_is_idempotent_and_later_frames_are_ignored(tmp_path: Path) -> None:
    sink = _sink(FakeVirtualCameras(), tmp_path)
    sink.close()
    sink.open(size_wh=(64, 48), fps=30)
    sink.close()
    sink.close()
    sink.send(_frame((64, 48)))


def test_missing_driver_gives_installation_steps(tmp_path: Path) -> None:
    if not sys.platform.startswith("linux"):
        pytest.skip("v4l2loopback exists on Linux only")
    if loopback_devices():
        pytest.skip("this system has a virtual camera")
    sink = VirtualCameraSink(lock_dir=tmp_path)
    with pytest.raises(SinkError) as caught:
        sink.open(size_wh=(1280, 720), fps=30)
    assert caught.value.asked == "virtual-camera at 1280x720"
    assert "v4l2loopback" in caught.value.got
    assert caught.value.do.endswith(LOAD_MODULE)
    assert "\n" not in str(caught.value)
    sink.close()


def test_second_sink_on_a_camera_names_the_first(tmp_path: Path) -> None:
    first, second = (_sink(FakeVirtualCameras(), tmp_path, "/dev/video10") for _ in range(2))
    first.open(size_wh=(64, 48), fps=30)
    with pytest.raises(SinkError, match=rf"another veneer is sending to it \(process {os.getpid()}\)"):
        second.open(size_wh=(64, 48), fps=30)
    second.close()
    first.close()
    second.open(size_wh=(64, 48), fps=30)
    second.close()


def test_two_cameras_run_at_once(tmp_path: Path) -> None:
    sinks = [_sink(FakeVirtualCameras(), tmp_path, device) for device in ("/dev/video10", "/dev/video11")]
    for sink in sinks:
        sink.open(size_wh=(64, 48), fps=30)
    for sink in sinks:
        sink.close()


def test_link_to_a_device_shares_its_lock(tmp_path: Path) -> None:
    (tmp_path / "veneer-camera").symlink_to("/dev/video10")
    first = _sink(FakeVirtualCameras(), tmp_path, "/dev/video10")
    first.open(size_wh=(64, 48), fps=30)
    with pytest.raises(SinkError, match="another veneer"):
        _sink(FakeVirtualCameras(), tmp_path, str(tmp_path / "veneer-camera")).open(size_wh=(64, 48), fps=30)
    first.close()


@pytest.mark.parametrize("refuses", [False, True], ids=["driver accepts both", "driver refuses"])
def test_second_sink_without_device_name_names_the_first(tmp_path: Path, refuses: bool) -> None:
    first = _sink(FakeVirtualCameras(), tmp_path)
    first.open(size_wh=(64, 48), fps=30)
    cameras = FakeVirtualCameras(RuntimeError("Device or resource busy") if refuses else None)
    with pytest.raises(SinkError, match="another veneer is sending to it"):
        _sink(cameras, tmp_path).open(size_wh=(64, 48), fps=30)
    assert [camera.closed for camera in cameras.opened] == ([] if refuses else [1])
    first.close()


def test_lock_of_another_process_ends_with_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from live.sinks.v4l2loopback.device_lock import DeviceLock;"
        f"lock = DeviceLock('/dev/video10', Path({str(tmp_path)!r}));"
        "print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        sink = _sink(FakeVirtualCameras(), tmp_path, "/dev/video10")
        with pytest.raises(SinkError, match=rf"process {other.pid}\b"):
            sink.open(size_wh=(64, 48), fps=30)
        other.kill()
        other.wait(30)
    sink.open(size_wh=(64, 48), fps=30)
    sink.close()


def test_unwritable_lock_folder_does_not_block_the_camera(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lock = DeviceLock("/dev/video10", tmp_path / "file" / "locks")
    assert lock.acquire()
    lock.release()


def test_failed_open_releases_the_lock(tmp_path: Path) -> None:
    cameras = FakeVirtualCameras(RuntimeError("no such thing"))
    with pytest.raises(SinkError):
        _sink(cameras, tmp_path, "/dev/video10").open(size_wh=(64, 48), fps=30)
    lock = DeviceLock("/dev/video10", tmp_path)
    assert lock.acquire()
    lock.release()
