"""A webcam as a frame source: format negotiation, frame rate measurement, reconnection."""

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
from live.sources.camera_devices import CameraDevices, CameraNode, explain_camera_failure
from live.sources.raw_capture import decode_raw_frame, open_capture, quiet_opencv

_MIN_BACKOFF_S, _MAX_BACKOFF_S = 0.25, 1.0  # between attempts to open a camera
_PRESENCE_INTERVAL_S = 0.1  # between checks whether a disconnected camera is back
_READ_TIMEOUT_S = 0.8
_REFUSAL_S = 0.3  # a driver that fails faster than this did not wait for a frame
_MAX_FAILED_READS = 5
_MEASURED_FRAMES = 31


class CameraSource(FrameSource):
    """A camera, by number or device file.

    A disconnected camera that returns under another number is found by its name and bus location.

    Args:
        device: Number, or device file such as "/dev/video0".
        size_wh: Requested size; frames are returned in the size that the camera delivers.
        fps: Requested rate; `measured_fps` holds the actual rate.
        opener: Creates the capture; replaceable for tests.
        devices: The cameras of the system.
        first_frame_timeout_s: Maximum time from opening to the first frame.
    """

    live = True

    def __init__(
        self,
        device: int | str,
        *,
        size_wh: tuple[int, int] = (1280, 720),
        fps: float = 30.0,
        opener: Callable[[int | str], cv2.VideoCapture] = open_capture,
        devices: CameraDevices | None = None,
        first_frame_timeout_s: float = 4.0,
    ) -> None:
        self._device, self._size_wh, self._fps = device, size_wh, fps
        self._name = f"camera {device}" if isinstance(device, int) else device
        self._opener, self._devices = opener, devices or CameraDevices()
        self._first_frame_timeout_s = first_frame_timeout_s
        self._closed = threading.Event()
        self._in_use = threading.Lock()  # held while the capture is in use; `close` waits for it only briefly
        self._capture: cv2.VideoCapture | None = None
        self._raw_size_wh, self._fourcc, self._driver_fps = size_wh, "", 0.0
        self._frame_id = 0
        self._node: CameraNode | None = None  # the opened device, if the system lists devices
        self._first_frame_deadline_s = float("-inf")
        self._is_refused = False  # the last read failed at once, without waiting for a frame
        self._backoff_s, self._next_attempt_s = _MIN_BACKOFF_S, 0.0
        self._stamps_s: deque[float] = deque(maxlen=_MEASURED_FRAMES)
        self._measured_fps: float | None = None
        self._buffers = 1
        self._pool = FramePool()
        self._shape: tuple[int, ...] | None = None  # of frames decoded by OpenCV

    @property
    def measured_fps(self) -> float | None:
        """Frames per second over the last 30 intervals; None before there are ten."""
        return self._measured_fps

    def open(self) -> SourceInfo:
        """Open the device and wait for its first frame; the reported `fps` is the driver's.

        Raises:
            SourceError: There is no such camera, it is busy or not permitted, or it sends nothing.
        """
        with self._in_use:
            bgr = None
            try:
                bgr = self._start(self._first_frame_timeout_s)
            finally:
                if bgr is None or self._closed.is_set():
                    self._release()
            if self._closed.is_set():
                raise SourceError(self._name, "closed while it was being opened")
            if bgr is None:
                raise explain_camera_failure(self._name, self._path(), self._devices)
            self._node = self._devices.node(self._path() or "")
            fps = self._driver_fps if 1 <= self._driver_fps <= 1000 else self._fps
            return SourceInfo(self._name, (bgr.shape[1], bgr.shape[0]), fps)

    def read(self) -> Frame | None:
        """Return the next frame; None once closed.

        Raises:
            TimeoutError: No frame arrived. Call again: a disconnected camera is reopened when it returns.
        """
        with self._in_use:
            bgr = None
            if not self._closed.is_set():
                bgr = self._next_frame() if self._capture is not None else self._reopen()
            captured_s = time.monotonic()
            if self._closed.is_set():
                self._release()
                return None
            if bgr is None:
                raise TimeoutError(f"{self._name} sends no picture; waiting for it to come back")
            self._measure(captured_s)
            self._frame_id += 1
            return Frame(bgr, self._frame_id - 1, captured_s)

    def close(self) -> None:
        """Release the device; a thread that hangs in the driver releases it when its `read` returns."""
        self._closed.set()
        if self._in_use.acquire(timeout=0.1):
            try:
                self._release()
            finally:
                self._in_use.release()

    def _start(self, timeout_s: float) -> ImageU8 | None:
        """Open the device, negotiate the format and wait for one frame."""
        with quiet_opencv():
            capture = self._capture = self._opener(self._device if self._node is None else self._node.path)
            if not capture.isOpened():
                return None
            width, height = self._size_wh
            if height >= 720:  # raw 4:2:2 exceeds the bandwidth of USB 2 at this size and 30 frames per second
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
        deadline_s = time.monotonic() + timeout_s
        bgr = self._grab()
        while bgr is None and time.monotonic() < deadline_s and not self._closed.wait(0.05):
            bgr = self._grab()
        return bgr

    def _grab(self) -> ImageU8 | None:
        assert self._capture is not None
        start_s = time.monotonic()
        try:
            with quiet_opencv():
                is_read, raw = self._capture.read(None if self._shape is None else self._pool.take(self._shape))
            self._is_refused = not is_read and time.monotonic() - start_s < _REFUSAL_S
            if not is_read or raw is None:
                return None
            self._shape = raw.shape if raw.ndim == 3 and raw.shape[2] == 3 else None
            return decode_raw_frame(raw, self._raw_size_wh, self._fourcc, self._pool)
        except cv2.error:
            return None

    def _next_frame(self) -> ImageU8 | None:
        """Return one frame; after several failed reads or a timeout the camera counts as disconnected.

        A camera that was just reopened has until its first-frame deadline.
        """
        start_s = time.monotonic()
        for _ in range(_MAX_FAILED_READS):
            bgr = self._grab()
            if bgr is not None or self._closed.wait(0.02):
                self._first_frame_deadline_s = float("-inf")
                return bgr
            if time.monotonic() - start_s > _READ_TIMEOUT_S:
                break
        if time.monotonic() < self._first_frame_deadline_s and not self._is_refused and self._is_connected():
            return None
        self._release()
        self._backoff_s = _MIN_BACKOFF_S
        self._next_attempt_s = time.monotonic() + (self._backoff_s if self._is_connected() else 0.0)
        return None

    def _reopen(self) -> ImageU8 | None:
        """Wait until the camera is connected and the backoff is over; then open it."""
        deadline_s = time.monotonic() + _READ_TIMEOUT_S
        while not self._find() or time.monotonic() < self._next_attempt_s:
            if self._closed.wait(_PRESENCE_INTERVAL_S) or time.monotonic() >= deadline_s:
                return None
        bgr = None
        try:
            bgr = self._start(_READ_TIMEOUT_S)
        finally:
            if bgr is None:
                self._handle_failed_start()
        return bgr

    def _handle_failed_start(self) -> None:
        """Keep a slow camera open until its first-frame deadline; release a refusing one and back off."""
        if self._capture is not None and self._capture.isOpened() and not self._is_refused:
            self._first_frame_deadline_s = time.monotonic() + self._first_frame_timeout_s
            return
        self._release()
        self._backoff_s = min(_MAX_BACKOFF_S, self._backoff_s * 2)
        self._next_attempt_s = time.monotonic() + self._backoff_s

    def _find(self) -> bool:
        """Return whether the camera, or another one at the requested path, is connected; update `_node`."""
        if self._node is None:  # the system does not list devices
            return True
        found = self._devices.find_again(self._node)
        path = self._path()
        if found is None and path is not None and (found := self._devices.node(path)) is None:
            self._backoff_s, self._next_attempt_s = _MIN_BACKOFF_S, 0.0  # open it as soon as it is connected
            return False
        self._node = found
        return True

    def _is_connected(self) -> bool:
        return self._node is None or self._devices.node(self._node.path) is not None

    def _measure(self, captured_s: float) -> None:
        self._stamps_s.append(captured_s)
        intervals = len(self._stamps_s) - 1
        if intervals < 10:
            return
        self._measured_fps = intervals / max(1e-6, self._stamps_s[-1] - self._stamps_s[0])
        is_slow = self._measured_fps < 0.7 * self._driver_fps and intervals == _MEASURED_FRAMES - 1
        if is_slow and self._buffers == 1 and self._capture is not None:
            # With one buffer some drivers drop every second frame while we decode. A second buffer adds no latency,
            # because this thread always takes the newest frame. (Cameras also slow down in the dark; harmless then.)
            self._buffers = 2
            with quiet_opencv():
                self._capture.set(cv2.CAP_PROP_BUFFERSIZE, self._buffers)
            self._stamps_s.clear()

    def _path(self) -> str | None:
        if not sys.platform.startswith("linux"):
            return None
        return f"/dev/video{self._device}" if isinstance(self._device, int) else self._device

    def _release(self) -> None:
        capture, self._capture = self._capture, None
        if capture is not None:
            with quiet_opencv():
                capture.release()
