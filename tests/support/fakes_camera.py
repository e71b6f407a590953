"""Fakes of a webcam and of the system's list of cameras: plugged in or not, busy, silent or hanging."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.sources.camera_devices import CameraNode

Raw = NDArray[Any]


def patches_bgr(size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 BGR with one colour in each quarter."""
    width, height = size_wh
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, : width // 2] = (40, 60, 200)
    picture[: height // 2, width // 2 :] = (70, 180, 60)
    picture[height // 2 :, : width // 2] = (190, 90, 50)
    picture[height // 2 :, width // 2 :] = (128, 128, 128)
    return picture


class FakeCamera:
    """A webcam that can be unplugged; pass `opener` to CameraSource.

    Args:
        raw: Returns the frame of a read, by the number of the read.
        size_wh: Frame size reported by the driver.
        fourcc: Pixel format reported by the driver.
        driver_fps: Frame rate reported by the driver.
    """

    def __init__(
        self,
        raw: Callable[[int], Raw] | None = None,
        *,
        size_wh: tuple[int, int] = (1280, 720),
        fourcc: str = "MJPG",
        driver_fps: float = 30.0,
    ) -> None:
        picture = patches_bgr(size_wh)
        self.raw = raw or (lambda _: picture.copy())
        self.size_wh, self.fourcc, self.driver_fps = size_wh, fourcc, driver_fps
        self.plugged, self.sends = True, True
        self.fail_reads: set[int] = set()
        self.reads = self.opened = self.released = 0
        self.requests: list[tuple[int, float]] = []
        self.on_read: Callable[[], None] = lambda: None

    def opener(self, device: int | str) -> FakeCapture:
        self.opened += 1
        return FakeCapture(self)


class FakeCapture:
    """One opening of the camera; as with cv2.VideoCapture, it does not recover after an unplugging."""

    def __init__(self, camera: FakeCamera) -> None:
        self._camera, self._alive = camera, camera.plugged

    def isOpened(self) -> bool:  # noqa: N802
        return self._alive

    def set(self, prop: int, value: float) -> bool:
        self._camera.requests.append((prop, value))
        return True

    def get(self, prop: int) -> float:
        width, height = self._camera.size_wh
        code = int.from_bytes(self._camera.fourcc.encode(), "little")
        properties = {cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height, cv2.CAP_PROP_FOURCC: code}
        return float(properties.get(prop, self._camera.driver_fps))

    def read(self, image: Raw | None = None, /) -> tuple[bool, Raw | None]:
        camera = self._camera
        camera.on_read()
        self._alive = self._alive and camera.plugged
        number, camera.reads = camera.reads, camera.reads + 1
        if not self._alive or not camera.sends or number in camera.fail_reads:
            return False, None
        return True, camera.raw(number)

    def release(self) -> None:
        self._camera.released += 1
        self._alive = False


class HangingCamera(FakeCamera):
    """From its second frame on, a read hangs in the driver until `resume` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.hangs, self.resume = threading.Event(), threading.Event()
        self.on_read = self._hang

    def _hang(self) -> None:
        if self.reads >= 1:
            self.hangs.set()
            self.resume.wait(30)


class FakeCameraDevices:
    """A list of cameras, with the error number of opening each device file, and the programs that use them."""

    def __init__(self, *names: str, numbers: dict[str, int] | None = None, programs: list[str] | None = None) -> None:
        self._nodes = [CameraNode(f"/dev/video{index}", name) for index, name in enumerate(names)]
        self._numbers, self._programs = numbers or {}, programs or []

    def nodes(self) -> list[CameraNode] | None:
        return self._nodes

    def node(self, path: str) -> CameraNode | None:
        return next((node for node in self.nodes() or () if node.path == path), None)

    def find_again(self, earlier: CameraNode) -> CameraNode | None:
        return next((node for node in self.nodes() or () if node.is_same_camera(earlier)), None)

    def open_errno(self, path: str) -> int:
        exists = any(node.path == path for node in self._nodes)
        return self._numbers.get(path, 0 if exists else errno.ENOENT)

    def programs_using(self, path: str) -> list[str]:
        return self._programs
