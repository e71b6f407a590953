"""CameraSource: format negotiation, raw formats, reconnection, frame rate."""

from __future__ import annotations

import sys
import time
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from support.fakes_camera import FakeCamera, FakeCameraDevices, FakeCapture, patches_bgr

from live.pipeline.frame import Frame
from live.sources import camera_source as camera_module
from live.sources.camera_devices import CameraNode
from live.sources.camera_source import CameraSource

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files exist on Linux only")


def source_of(camera: FakeCamera, **more: Any) -> CameraSource:
    return CameraSource(0, opener=camera.opener, devices=FakeCameraDevices("Webcam"), **more)


def next_frame(source: CameraSource, limit_s: float = 20.0) -> Frame:
    """Read again after each timeout, as the pipeline does."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        try:
            frame = source.read()
        except TimeoutError:
            continue
        assert frame is not None
        return frame
    raise AssertionError(f"no frame within {limit_s} s")


def mjpg_requests(camera: FakeCamera) -> list[int]:
    mjpg = cv2.VideoWriter_fourcc(*"MJPG")
    return [n for n, (prop, value) in enumerate(camera.requests) if prop == cv2.CAP_PROP_FOURCC and value == mjpg]


def test_mjpg_is_requested_before_the_size_at_720p() -> None:
    camera = FakeCamera()
    source_of(camera, size_wh=(1280, 720)).open()
    sizes = [n for n, (prop, _) in enumerate(camera.requests) if prop == cv2.CAP_PROP_FRAME_WIDTH]
    assert mjpg_requests(camera) and mjpg_requests(camera)[0] < sizes[0]
    assert (cv2.CAP_PROP_BUFFERSIZE, 1) in camera.requests


def test_small_size_keeps_the_cameras_format() -> None:
    camera = FakeCamera(size_wh=(640, 480))
    source_of(camera, size_wh=(640, 480)).open()
    assert not mjpg_requests(camera)
    assert (cv2.CAP_PROP_FRAME_WIDTH, 640) in camera.requests


def test_frames_have_increasing_ids_and_own_arrays() -> None:
    source = source_of(FakeCamera())
    source.open()
    frames = [next_frame(source) for _ in range(4)]
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3]
    assert all(frame.bgr.flags.c_contiguous and frame.pts_s is None for frame in frames)
    assert not np.shares_memory(frames[0].bgr, frames[1].bgr)
    assert frames[0].captured_s <= frames[1].captured_s <= time.monotonic()


def test_actual_camera_size_is_reported() -> None:
    source = source_of(FakeCamera(size_wh=(960, 540)), size_wh=(1280, 720))
    assert source.open().size_wh == (960, 540)
    assert next_frame(source).size_wh == (960, 540)


def yuyv(bgr: NDArray[np.uint8]) -> NDArray[np.uint8]:
    yuv = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420)
    height, width = bgr.shape[:2]
    u = yuv[height : height * 5 // 4].reshape(height // 2, width // 2).repeat(2, 0)
    v = yuv[height * 5 // 4 :].reshape(height // 2, width // 2).repeat(2, 0)
    packed = np.empty((height, width, 2), np.uint8)
    packed[..., 0] = yuv[:height]
    packed[:, 0::2, 1], packed[:, 1::2, 1] = u, v
    return packed


def raw_forms() -> dict[str, tuple[NDArray[Any], str]]:
    bgr = patches_bgr((64, 48))
    jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].reshape(1, -1)
    return {
        "bgr": (bgr, "MJPG"),
        "bgrx": (np.dstack([bgr, np.zeros((48, 64), np.uint8)]), "XR24"),
        "jpeg bytes": (jpeg, "MJPG"),
        "yuyv": (yuyv(bgr), "YUYV"),
        "yuyv bytes": (yuyv(bgr).reshape(1, -1), "YUYV"),
        "uyvy": (np.ascontiguousarray(yuyv(bgr)[:, :, ::-1]), "UYVY"),
        "i420": (cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), "YU12"),
        "i420 bytes": (cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(1, -1), "YU12"),
        "bgr bytes": (bgr.reshape(1, -1), "BGR3"),
    }


@pytest.mark.parametrize("form", raw_forms())
def test_raw_driver_formats_are_decoded(form: str) -> None:
    raw, fourcc = raw_forms()[form]
    source = source_of(FakeCamera(lambda _: raw.copy(), size_wh=(64, 48), fourcc=fourcc))
    source.open()
    frame = next_frame(source)
    assert frame.bgr.shape == (48, 64, 3) and frame.bgr.flags.c_contiguous
    for row, column in ((12, 16), (12, 48), (36, 16), (36, 48)):
        assert np.abs(frame.bgr[row, column].astype(int) - patches_bgr((64, 48))[row, column]).max() < 8


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_grey_camera_gives_a_grey_picture(depth: type) -> None:
    grey = np.full((48, 64), 100 if depth is np.uint8 else 100 << 8, depth)
    source = source_of(FakeCamera(lambda _: grey.copy(), size_wh=(64, 48), fourcc="GREY"))
    source.open()
    assert np.array_equal(next_frame(source).bgr, np.full((48, 64, 3), 100, np.uint8))


def test_occasional_broken_frames_are_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    # The clock is frozen: a pause of the test machine would count as a silent camera.
    monkeypatch.setattr(camera_module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    broken = np.frombuffer(b"\xff\xd8 and no more", np.uint8).reshape(1, -1)
    good = patches_bgr((1280, 720))
    camera = FakeCamera(lambda number: broken if number % 3 == 1 else good.copy())
    camera.fail_reads = {5, 6}
    source = source_of(camera)
    source.open()
    assert [next_frame(source).frame_id for _ in range(8)] == list(range(8))
    assert camera.opened == 1


def test_reconnected_camera_continues_frame_ids() -> None:
    camera = FakeCamera()
    source = source_of(camera)
    source.open()
    assert [next_frame(source).frame_id for _ in range(3)] == [0, 1, 2]
    camera.plugged = False
    began_s = time.monotonic()
    while camera.opened < 3 and time.monotonic() < began_s + 20:
        with pytest.raises(TimeoutError, match="camera 0"):
            source.read()
    assert camera.opened == camera.released == 3, "failed captures are released"
    assert time.monotonic() - began_s >= 0.7, "attempts are separated by 0.25 and 0.5 seconds"
    camera.plugged = True
    assert [next_frame(source).frame_id for _ in range(2)] == [3, 4]


class PluggableDevices(FakeCameraDevices):
    """A list of cameras with one camera that can be unplugged, and plugged in under another device file."""

    def __init__(self, camera: FakeCamera) -> None:
        super().__init__()
        self.camera = camera
        self.plug_in(CameraNode("/dev/video0", "Webcam", "usb1/1-1 0"))

    def unplug(self) -> None:
        self._nodes, self.camera.plugged = [], False

    def plug_in(self, *nodes: CameraNode) -> None:
        self._nodes, self.camera.plugged = list(nodes), True


@pytest.fixture
def reconnection() -> tuple[CameraSource, PluggableDevices, list[int | str]]:
    """A source whose camera was unplugged after a frame, its devices, and the devices it has opened."""
    camera, opened = FakeCamera(), list[int | str]()

    def opener(device: int | str) -> FakeCapture:
        opened.append(device)
        return camera.opener(device)

    devices = PluggableDevices(camera)
    source = CameraSource(0, opener=opener, devices=devices)
    source.open()
    next_frame(source)
    devices.unplug()
    with pytest.raises(TimeoutError):
        source.read()
    return source, devices, opened


@on_linux
def test_camera_opens_as_soon_as_it_is_plugged_in_again(
    reconnection: tuple[CameraSource, PluggableDevices, list[int | str]],
) -> None:
    source, devices, opened = reconnection
    for _ in range(2):
        with pytest.raises(TimeoutError):
            source.read()
    assert opened == [0], "not opened while it is unplugged"
    devices.plug_in(CameraNode("/dev/video0", "Webcam", "usb1/1-1 0"))
    assert source.read() is not None, "the next read returns a frame"


@on_linux
@pytest.mark.parametrize(
    ("nodes", "path"),
    [
        ([CameraNode("/dev/video1", "Webcam", "usb2/2-1 0"), CameraNode("/dev/video3", "Webcam", "usb1/1-1 0")], 3),
        ([CameraNode("/dev/video0", "A better webcam", "usb2/2-1 0")], 0),
    ],
    ids=["other number, beside an equal camera", "replacement at the same path"],
)
def test_reconnected_camera_is_found(
    reconnection: tuple[CameraSource, PluggableDevices, list[int | str]], nodes: list[CameraNode], path: int
) -> None:
    source, devices, opened = reconnection
    devices.plug_in(*nodes)
    assert next_frame(source).size_wh == (1280, 720)
    assert opened == [0, f"/dev/video{path}"]


def test_slow_first_frame_after_reconnection_is_awaited() -> None:
    """Many webcams need more than a second for their first frame."""
    camera = FakeCamera()
    source = source_of(camera)
    source.open()
    next_frame(source)
    camera.plugged = False
    with pytest.raises(TimeoutError):
        source.read()
    camera.plugged = True
    first = camera.reads
    camera.fail_reads = {first, first + 1, first + 2}
    camera.on_read = lambda: time.sleep(0.5 if camera.reads in camera.fail_reads else 0)
    next_frame(source)
    assert camera.opened == 2, "it was reopened once"


def test_silent_camera_is_reopened() -> None:
    camera = FakeCamera()
    source = source_of(camera)
    source.open()
    next_frame(source)
    camera.sends = False
    with pytest.raises(TimeoutError):
        source.read()
    camera.sends = True
    assert next_frame(source).frame_id == 1
    assert camera.opened >= 2


def test_measured_rate_uses_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver reports 30, but a frame arrives every 1/15 s."""
    now_s = [100.0]
    monkeypatch.setattr(camera_module, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    camera = FakeCamera(driver_fps=30.0)

    def tick() -> None:
        now_s[0] += 1 / 15

    camera.on_read = tick
    source = source_of(camera)
    assert source.open().fps == 30.0
    assert source.measured_fps is None
    for _ in range(12):
        source.read()
    assert source.measured_fps == pytest.approx(15.0, rel=1e-6)
    for _ in range(30):
        source.read()
    assert (cv2.CAP_PROP_BUFFERSIZE, 2) in camera.requests, "at half the rate a second buffer is requested"
    for _ in range(200):
        source.read()
    assert camera.requests.count((cv2.CAP_PROP_BUFFERSIZE, 2)) == 1
