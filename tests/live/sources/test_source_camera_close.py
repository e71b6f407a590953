"""CameraSource.close never waits for the driver, and ends every wait for a camera."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest
from support.fakes_camera import FakeCamera, FakeCameraDevices, HangingCamera

from engines.errors import SourceError
from live.pipeline.frame import Frame
from live.sources.camera_source import CameraSource


def source_of(camera: FakeCamera) -> CameraSource:
    return CameraSource(0, opener=camera.opener, devices=FakeCameraDevices("Webcam"))


def test_close_does_not_wait_for_a_hanging_driver() -> None:
    camera = HangingCamera()
    source = source_of(camera)
    source.open()
    returned: list[Frame | None] = []
    reader = threading.Thread(target=lambda: returned.append(source.read()), daemon=True)
    reader.start()
    assert camera.hangs.wait(10)
    source.close()
    source.close()
    assert reader.is_alive(), "the driver still hangs"
    assert camera.released == 0, "not released while the driver uses it"
    camera.resume.set()
    reader.join(30)
    assert returned == [None] and camera.released == 1
    assert source.read() is None


def test_close_ends_the_wait_for_a_disconnected_camera() -> None:
    camera = FakeCamera()
    source = source_of(camera)
    source.open()
    camera.plugged = False
    ended = threading.Event()

    def follow() -> None:
        while not ended.is_set():
            with suppress(TimeoutError):
                if source.read() is None:
                    ended.set()

    threading.Thread(target=follow, daemon=True).start()
    time.sleep(0.5)
    source.close()
    assert ended.wait(30)
    assert camera.released == camera.opened


def test_close_before_open_keeps_it_closed() -> None:
    camera = FakeCamera()
    source = source_of(camera)
    source.close()
    with pytest.raises(SourceError, match="closed"):
        source.open()
    assert source.read() is None
    assert camera.released == camera.opened
