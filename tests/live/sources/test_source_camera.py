"""A camera is asked for the right things, survives what drivers do, and is waited for when it is pulled out."""

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

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files are looked at on Linux only")


def source_of(camera: FakeCamera, **more: Any) -> CameraSource:
    return CameraSource(0, opener=camera.opener, devices=FakeCameraDevices("Webcam"), **more)


def next_frame(source: CameraSource, limit_s: float = 20.0) -> Frame:
    """Ask again while nothing comes, as the pipeline does."""
    until_s = time.monotonic() + limit_s
    while time.monotonic() < until_s:
        try:
            frame = source.read()
        except TimeoutError:
            continue
        assert frame is not None
        return frame
    raise AssertionError(f"no frame within {limit_s} s")


def mjpg_asked(camera: FakeCamera) -> list[int]:
    mjpg = cv2.VideoWriter_fourcc(*"MJPG")
    return [n for n, (prop, value) in enumerate(camera.asked) if prop == cv2.CAP_PROP_FOURCC and value == mjpg]


def test_mjpg_is_asked_for_before_the_size_at_720p() -> None:
    camera = FakeCamera()
    source_of(camera, size_wh=(1280, 720)).open()
    sizes = [n for n, (prop, _) in enumerate(camera.asked) if prop == cv2.CAP_PROP_FRAME_WIDTH]
    assert mjpg_asked(camera) and mjpg_asked(camera)[0] < sizes[0]
    assert (cv2.CAP_PROP_BUFFERSIZE, 1) in camera.asked


def test_a_small_picture_is_left_in_the_cameras_own_format() -> None:
    camera = FakeCamera(size_wh=(640, 480))
    source_of(camera, size_wh=(640, 480)).open()
    assert not mjpg_asked(camera)
    assert (cv2.CAP_PROP_FRAME_WIDTH, 640) in camera.asked


def test_frames_count_up_and_are_arrays_of_their_own() -> None:
    source = source_of(FakeCamera())
    source.open()
    frames = [next_frame(source) for _ in range(4)]
    assert [frame.frame_id for frame in frames] == [0, 1, 2, 3]
    assert all(frame.bgr.flags.c_contiguous and frame.pts_s is None for frame in frames)
    assert not np.shares_memory(frames[0].bgr, frames[1].bgr)
    assert frames[0].captured_s <= frames[1].captured_s <= time.monotonic()


def test_the_size_is_what_comes_not_what_was_asked() -> None:
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
def test_what_the_driver_leaves_undecoded_is_decoded(form: str) -> None:
    raw, fourcc = raw_forms()[form]
    source = source_of(FakeCamera(lambda _: raw.copy(), size_wh=(64, 48), fourcc=fourcc))
    source.open()
    frame = next_frame(source)
    assert frame.bgr.shape == (48, 64, 3) and frame.bgr.flags.c_contiguous
    for row, column in ((12, 16), (12, 48), (36, 16), (36, 48)):
        assert np.abs(frame.bgr[row, column].astype(int) - patches_bgr((64, 48))[row, column]).max() < 8


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_grey_camera_gives_a_grey_picture(depth: type) -> None:
    grey = np.full((48, 64), 100 if depth is np.uint8 else 100 << 8, depth)
    source = source_of(FakeCamera(lambda _: grey.copy(), size_wh=(64, 48), fourcc="GREY"))
    source.open()
    assert np.array_equal(next_frame(source).bgr, np.full((48, 64, 3), 100, np.uint8))


def test_a_broken_picture_now_and_then_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    # No time goes by: where this machine stands still for a second, the camera would count as silent.
    monkeypatch.setattr(camera_module, "time", SimpleNamespace(monotonic=lambda: 100.0))
    broken = np.frombuffer(b"\xff\xd8 and no more", np.uint8).reshape(1, -1)
    good = patches_bgr((1280, 720))
    camera = FakeCamera(lambda number: broken if number % 3 == 1 else good.copy())
    camera.fail_reads = {5, 6}
    source = source_of(camera)
    source.open()
    assert [next_frame(source).frame_id for _ in range(8)] == list(range(8))
    assert camera.opened == 1


def test_an_unplugged_camera_is_waited_for_and_the_ids_go_on() -> None:
    camera = FakeCamera()
    source = source_of(camera)
    source.open()
    assert [next_frame(source).frame_id for _ in range(3)] == [0, 1, 2]
    camera.plugged = False
    began_s = time.monotonic()
    while camera.opened < 3 and time.monotonic() < began_s + 20:
        with pytest.raises(TimeoutError, match="camera 0"):
            source.read()
    assert camera.opened == camera.released == 3, "what was opened in vain is let go"
    assert time.monotonic() - began_s >= 0.7, "tried again after 0.25 and 0.5 seconds, not all the time"
    camera.plugged = True
    assert [next_frame(source).frame_id for _ in range(2)] == [3, 4]


class Unplugged(FakeCameraDevices):
    """The system's list while a camera is not plugged in, until `back` is set: then under the file it is put to."""

    def __init__(self) -> None:
        super().__init__("Webcam")
        self._nodes = [CameraNode("/dev/video0", "Webcam", "usb1/1-1 0")]

    def pull(self) -> None:
        self._nodes = []

    def put_back(self, path: str, *others: CameraNode) -> None:
        self._nodes = [*others, CameraNode(path, "Webcam", "usb1/1-1 0")]


@on_linux
def test_while_it_is_not_there_nothing_is_opened_and_once_it_is_there_it_is_tried_at_once() -> None:
    camera, devices = FakeCamera(), Unplugged()
    source = CameraSource(0, opener=camera.opener, devices=devices)
    source.open()
    next_frame(source)
    camera.plugged = False
    devices.pull()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            source.read()
    assert camera.opened == 1
    camera.plugged = True
    devices.put_back("/dev/video0")
    assert source.read() is not None, "the very next read brings a picture"


@on_linux
def test_a_camera_that_comes_back_under_another_number_is_found_among_others() -> None:
    camera, devices, asked = FakeCamera(), Unplugged(), []

    def opener(device: int | str) -> FakeCapture:
        asked.append(device)
        return camera.opener(device)

    source = CameraSource(0, opener=opener, devices=devices)
    source.open()
    next_frame(source)
    camera.plugged = False
    devices.pull()
    with pytest.raises(TimeoutError):
        source.read()
    camera.plugged = True
    devices.put_back("/dev/video3", CameraNode("/dev/video1", "Webcam", "usb2/2-1 0"))
    next_frame(source)
    assert asked == [0, "/dev/video3"], "its twin at another plug is not taken"


@on_linux
def test_another_camera_in_the_place_that_was_asked_for_is_taken() -> None:
    camera, devices = FakeCamera(), Unplugged()
    source = CameraSource(0, opener=camera.opener, devices=devices)
    source.open()
    camera.plugged = False
    devices.pull()
    with pytest.raises(TimeoutError):
        source.read()
    camera.plugged = True
    devices._nodes = [CameraNode("/dev/video0", "A better webcam", "usb2/2-1 0")]
    assert next_frame(source).size_wh == (1280, 720)


def test_a_camera_that_is_slow_to_its_first_picture_gets_the_time_when_it_comes_back_too() -> None:
    """Many webcams take more than a second; giving up sooner each time would be giving up for ever."""
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
    assert camera.opened == 2, "it was opened once, and waited for"


def test_a_camera_that_falls_silent_is_reopened() -> None:
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


def test_the_rate_is_measured_over_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver says 30, but a picture comes every 1/15 s: 15, not 16 or 14.5."""
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
    assert (cv2.CAP_PROP_BUFFERSIZE, 2) in camera.asked, "half the rate: perhaps one buffer is too few"
    for _ in range(200):
        source.read()
    assert camera.asked.count((cv2.CAP_PROP_BUFFERSIZE, 2)) == 1
