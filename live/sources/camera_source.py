"""A webcam: asked for MJPG, measured, and waited for when somebody pulls the plug."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable

import cv2

from engines.errors import SourceError
from live.pipeline.frame import Frame, ImageU8
from live.pipeline.frame_pool import FramePool
from live.sources.base import FrameSource, SourceInfo
from live.sources.camera_devices import CameraNode, Devices, SystemDevices, explain
from live.sources.raw_capture import Capture, open_capture, picture_from_raw, quiet_opencv

FIRST_WAIT_S, LONGEST_WAIT_S = 0.25, 1.0  # back-off of a camera that does not open
_LOOK_S = 0.1  # so often it is looked whether an unplugged one is there again
_CALL_S = 0.8  # a read that got no picture for so long gives up
_REFUSED_S = 0.3  # a driver that says no sooner has nothing to wait for
_FAILED_READS = 5
_MEASURED_FRAMES = 31


class CameraSource(FrameSource):
    """A camera by number or device file.

    Args:
        device: 0, 1, ... or "/dev/video0".
        size_wh: asked for; the camera may give another size, which is taken as it comes.
        fps: asked for; what really comes is in `measured_fps`.
        opener: makes the capture; another one stands in for the camera in tests.
        devices: the system's list of cameras, for the error message.
        first_picture_s: how long a camera may take from being opened to its first picture.

    A camera that was pulled out and comes back under another number is found by its name and its place on the bus.
    """

    live = True

    def __init__(
        self,
        device: int | str,
        *,
        size_wh: tuple[int, int] = (1280, 720),
        fps: float = 30.0,
        opener: Callable[[int | str], Capture] = open_capture,
        devices: Devices | None = None,
        first_picture_s: float = 4.0,
    ) -> None:
        self._device, self._size_wh, self._fps = device, size_wh, fps
        self._name = f"camera {device}" if isinstance(device, int) else device
        self._opener, self._devices = opener, devices or SystemDevices()
        self._first_picture_s = first_picture_s
        self._closed = threading.Event()
        self._busy = threading.Lock()  # held while the capture is in use; `close` only waits a moment for it
        self._capture: Capture | None = None
        self._raw_size_wh, self._fourcc, self._driver_fps = size_wh, "", 0.0
        self._frame_id = 0
        self._node: CameraNode | None = None  # what was opened, where the system tells
        self._first_by_s = float("-inf")  # the first picture after an opening may take until then
        self._refused = False  # the last read failed at once: the driver did not wait for a picture
        self._wait_s, self._next_try_s = FIRST_WAIT_S, 0.0
        self._stamps_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        self._measured_fps: float | None = None
        self._buffers = 1
        self._pool = FramePool()
        self._shape: tuple[int, ...] | None = None  # of the pictures as OpenCV decodes them

    @property
    def measured_fps(self) -> float | None:
        """Frames per second over the last second or so, from the intervals; None before enough of them."""
        return self._measured_fps

    def open(self) -> SourceInfo:
        """Open the device and wait for its first picture; `fps` is the driver's word, `measured_fps` comes later.

        Raises:
            SourceError: no camera, no such device, busy, no permission, or it sends nothing.
        """
        with self._busy:
            picture = None
            try:
                picture = self._start(self._first_picture_s)
            finally:
                if picture is None or self._closed.is_set():
                    self._let_go()
            if self._closed.is_set():
                raise SourceError(self._name, "closed while it was being opened")
            if picture is None:
                raise explain(self._name, self._path(), self._devices)
            self._node = self._devices.node(self._path() or "")
            fps = self._driver_fps if 1 <= self._driver_fps <= 1000 else self._fps
            return SourceInfo(self._name, (picture.shape[1], picture.shape[0]), fps)

    def read(self) -> Frame | None:
        """The next picture as it comes.

        Raises:
            TimeoutError: none came; an unplugged camera is looked for, and opened again, by calling this again.
        """
        with self._busy:
            picture = None
            if not self._closed.is_set():
                picture = self._next_picture() if self._capture is not None else self._reopen()
            captured_s = time.monotonic()
            if self._closed.is_set():
                self._let_go()
                return None
            if picture is None:
                raise TimeoutError(f"{self._name} sends no picture; waiting for it to come back")
            self._measure(captured_s)
            self._frame_id += 1
            return Frame(picture, self._frame_id - 1, captured_s)

    def close(self) -> None:
        """Let go of the device; where `read` hangs in the driver, that thread lets go when it returns."""
        self._closed.set()
        if self._busy.acquire(timeout=0.1):
            try:
                self._let_go()
            finally:
                self._busy.release()

    def _start(self, patience_s: float) -> ImageU8 | None:
        """Open, ask for the format, and wait for one picture."""
        with quiet_opencv():
            capture = self._capture = self._opener(self._device if self._node is None else self._node.path)
            if not capture.isOpened():
                return None
            width, height = self._size_wh
            if height >= 720:  # raw 4:2:2 does not fit through USB 2 at this size and 30 frames per second
                capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*"MJPG"))  # type: ignore[attr-defined]
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
            capture.set(cv2.CAP_PROP_FPS, self._fps)
            capture.set(cv2.CAP_PROP_BUFFERSIZE, self._buffers)
            self._driver_fps = capture.get(cv2.CAP_PROP_FPS)
            self._raw_size_wh = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
            code = int(capture.get(cv2.CAP_PROP_FOURCC)) & 0xFFFFFFFF
            self._fourcc = code.to_bytes(4, "little").decode("latin-1")
        self._stamps_s.clear()
        until_s = time.monotonic() + patience_s
        picture = self._take()
        while picture is None and time.monotonic() < until_s and not self._closed.wait(0.05):
            picture = self._take()
        return picture

    def _take(self) -> ImageU8 | None:
        assert self._capture is not None
        began_s = time.monotonic()
        try:
            with quiet_opencv():
                got, raw = self._capture.read(None if self._shape is None else self._pool.take(self._shape))
            self._refused = not got and time.monotonic() - began_s < _REFUSED_S
            if not got or raw is None:
                return None
            self._shape = raw.shape if raw.ndim == 3 and raw.shape[2] == 3 else None  # the next may go where it lies
            return picture_from_raw(raw, self._raw_size_wh, self._fourcc, self._pool)
        except cv2.error:
            return None

    def _next_picture(self) -> ImageU8 | None:
        """One picture; after some failed reads, or one that took a second, the camera counts as unplugged.

        One that was opened anew has longer for its first picture.
        """
        began_s = time.monotonic()
        for _ in range(_FAILED_READS):
            picture = self._take()
            if picture is not None or self._closed.wait(0.02):
                self._first_by_s = float("-inf")
                return picture
            if time.monotonic() - began_s > _CALL_S:
                break
        if time.monotonic() < self._first_by_s and not self._refused and self._is_there():
            return None
        self._let_go()
        self._wait_s = FIRST_WAIT_S
        self._next_try_s = time.monotonic() + (self._wait_s if self._is_there() else 0.0)
        return None

    def _reopen(self) -> ImageU8 | None:
        """Wait for the camera to be there, and for the time of the next try; then open it."""
        until_s = time.monotonic() + _CALL_S
        while not self._find() or time.monotonic() < self._next_try_s:
            if self._closed.wait(_LOOK_S) or time.monotonic() >= until_s:
                return None
        picture = None
        try:
            picture = self._start(_CALL_S)
        finally:
            if picture is None:
                self._after_failed_start()
        return picture

    def _after_failed_start(self) -> None:
        """A camera that takes its time for a first picture keeps it; one that refuses is tried again later."""
        if self._capture is not None and self._capture.isOpened() and not self._refused:
            self._first_by_s = time.monotonic() + self._first_picture_s
            return
        self._let_go()
        self._wait_s = min(LONGEST_WAIT_S, self._wait_s * 2)
        self._next_try_s = time.monotonic() + self._wait_s

    def _find(self) -> bool:
        """Whether the camera is there, or another one in its place; `_node` is what is to be opened then."""
        if self._node is None:  # this system does not tell
            return True
        now = self._devices.again(self._node)
        asked = self._path()
        if now is None and asked is not None and (now := self._devices.node(asked)) is None:
            self._wait_s, self._next_try_s = FIRST_WAIT_S, 0.0  # once it is there it is tried at once
            return False
        self._node = now
        return True

    def _is_there(self) -> bool:
        """Whether the camera that was opened is still plugged in, as far as the system tells."""
        return self._node is None or self._devices.node(self._node.path) is not None

    def _measure(self, captured_s: float) -> None:
        self._stamps_s.append(captured_s)
        intervals = len(self._stamps_s) - 1
        if intervals < 10:
            return
        self._measured_fps = intervals / max(1e-6, self._stamps_s[-1] - self._stamps_s[0])
        slow = self._measured_fps < 0.7 * self._driver_fps and intervals == _MEASURED_FRAMES - 1
        if slow and self._buffers == 1 and self._capture is not None:
            # With one buffer some drivers lose every other picture while we decode; a second costs no delay,
            # because this thread always takes the newest. (In the dark the camera itself slows down: no harm done.)
            self._buffers = 2
            with quiet_opencv():
                self._capture.set(cv2.CAP_PROP_BUFFERSIZE, self._buffers)
            self._stamps_s.clear()

    def _path(self) -> str | None:
        if not sys.platform.startswith("linux"):
            return None
        return f"/dev/video{self._device}" if isinstance(self._device, int) else self._device

    def _let_go(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            with quiet_opencv():
                capture.release()
