"""The virtual camera sink: v4l2loopback on Linux, OBS's virtual camera on Windows and macOS, through pyvirtualcam."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engines.errors import SinkError
from engines.paths import runtime_dir
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.recording.video_encoder import even_size, pad_edges
from live.render.privacy_fallback import card
from live.sinks.base import FrameSink
from live.sinks.v4l2loopback.device_lock import DeviceLock
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.sinks.v4l2loopback.standby_picture import Opener, StandbyPicture, reopen_for_writers
from live.sinks.virtual_camera_help import explain_open_failure, loopback_devices

if TYPE_CHECKING:
    from pyvirtualcam import Camera

    from live.pipeline.viewer_presence import ViewerPresence

MIN_SIZE_WH = (48, 32)  # minimum of older v4l2loopback modules
DEFAULT_FPS = 30.0
_VIEWER_WAIT_S = 0.25


CameraFactory = Callable[..., "Camera"]
"""Called as `pyvirtualcam.Camera(width, height, fps, fmt=..., device=..., print_fps=False)`."""


class VirtualCameraSink(FrameSink):
    """Sends each frame to the virtual camera, without waiting.

    The camera has the size of the first frame, rounded up to even numbers (chroma is subsampled by two) and to at
    least 48x32. Frames of other sizes are fitted into it with black bars.

    On v4l2loopback the driver shows the privacy card if this program dies (see `StandbyPicture`). While there are no
    viewers, the camera holds the card, frames are discarded and `send` waits. A new viewer first gets the card, then
    frames captured after it connected, never an older frame.

    Attributes:
        name: "virtual-camera", or "virtual-camera:DEVICE" if a device was requested.
        device: The device in use, once open.
    """

    live = True

    def __init__(
        self,
        device: str | None = None,
        *,
        camera: CameraFactory | None = None,
        lock_dir: Path | None = None,
        loopback: Opener | None = None,
    ) -> None:
        """Create the sink.

        Args:
            device: "/dev/video10" on Linux, the camera's name elsewhere; None selects the first that works.
            camera: Replaces pyvirtualcam.Camera in tests.
            lock_dir: Folder of the lock files; defaults to the user's runtime folder.
            loopback: Opens the v4l2loopback device a second time; by default only with the real driver, on Linux.
        """
        self.name = "virtual-camera" + (f":{device}" if device else "")
        self.device = ""
        self._requested_device = device or None
        self._factory = camera
        self._lock_dir = lock_dir or runtime_dir()
        self._lock: DeviceLock | None = None
        self._camera: Camera | None = None
        self._loopback = loopback
        if loopback is None and camera is None and sys.platform.startswith("linux"):
            self._loopback = LoopbackDevice
        self._standby: StandbyPicture | None = None
        self._viewers: ViewerPresence | None = None
        self._say: Callable[[str], None] = lambda line: None
        self._is_idle = False
        self._idle_until_s = float("-inf")  # frames captured earlier are not shown

    def set_viewers(self, viewers: ViewerPresence | None, say: Callable[[str], None]) -> None:
        """See `FrameSink.set_viewers`. Without readers, the camera shows the card and frames are discarded."""
        self._viewers, self._say = viewers, say

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Open the virtual camera; the error holds the steps for this system."""
        if self._requested_device is not None:
            self._acquire_lock(self._requested_device)
        try:
            self._size_wh = even_size(size_wh, MIN_SIZE_WH)
            fps = fps if math.isfinite(fps) and fps > 0 else DEFAULT_FPS
            if self._loopback is not None:
                devices = [self._requested_device] if self._requested_device else map(str, loopback_devices())
                for device in devices:
                    reopen_for_writers(device, opener=self._loopback)
            self._camera = self._open_camera(fps)
            self.device = self._camera.device
            if self._lock is None:  # pyvirtualcam selected the device
                self._acquire_lock(self.device)
            if self._loopback is not None:
                self._start_standby(StandbyPicture(self.device, fps=fps, opener=self._loopback))
        except BaseException:
            self._release()
            raise

    def _open_camera(self, fps: float) -> Camera:
        requested = f"{self.name} at {self._size_wh[0]}x{self._size_wh[1]}"
        try:
            factory, pixel_format = self._factory, "BGR"
            if factory is None:
                import pyvirtualcam

                factory, pixel_format = pyvirtualcam.Camera, pyvirtualcam.PixelFormat.BGR
            return factory(*self._size_wh, fps, fmt=pixel_format, device=self._requested_device, print_fps=False)
        except ImportError as error:
            raise SinkError(requested, f"pyvirtualcam cannot be loaded ({error})", "pip install pyvirtualcam") from None
        except Exception as error:  # pyvirtualcam raises RuntimeError, ValueError and errors of its backends
            if self._requested_device is None:
                self._check_other_instances()
            raise SinkError(requested, *explain_open_failure(self._requested_device, str(error))) from None

    def _check_other_instances(self) -> None:
        """Raise if another Veneer holds a camera, which then explains why no device is free."""
        for lock in DeviceLock.all_in(self._lock_dir):
            if not lock.acquire():
                raise self._in_use(lock)
            lock.release()

    def _acquire_lock(self, device: str) -> None:
        lock = DeviceLock(device, self._lock_dir)
        if not lock.acquire():
            raise self._in_use(lock)
        self._lock = lock

    def _in_use(self, lock: DeviceLock) -> SinkError:
        holder = lock.holder()
        got = "another veneer is sending to it" + (f" (process {holder})" if holder else "")
        return SinkError(self.name, got, "stop that one first, or give each its own device")

    def _start_standby(self, standby: StandbyPicture) -> None:
        self._standby = standby
        if error := standby.activate(card(self._size_wh)):
            self._say(f"{self.device} cannot show the card if veneer dies, its last frame would remain: {error}")
        if (viewers := self._viewers) is not None:
            standby.watch_readers(lambda readers: viewers.report(self.device, readers))

    def send(self, frame: Frame) -> None:
        """Send one frame, or wait briefly while there are no viewers."""
        if self._camera is None:
            return
        if self._viewers is not None and not self._viewers.watched():
            self._idle(self._viewers)
            return
        self._is_idle = False
        if frame.captured_s <= self._idle_until_s:
            self._write(card(self._size_wh))
        else:
            needs_padding_only = all(0 <= a - b <= 1 for a, b in zip(self._size_wh, frame.size_wh, strict=True))
            self._write((pad_edges if needs_padding_only else fit_into)(frame.bgr, self._size_wh))

    def _idle(self, viewers: ViewerPresence) -> None:
        """Send the card once, then wait in short intervals that end when a viewer connects."""
        if not self._is_idle:
            self._is_idle = True
            self._write(card(self._size_wh))
        else:
            viewers.wait(_VIEWER_WAIT_S)
        self._idle_until_s = time.monotonic()

    def _write(self, frame_bgr: ImageU8) -> None:
        assert self._camera is not None
        try:
            self._camera.send(np.ascontiguousarray(frame_bgr))
        except Exception as error:  # whatever the backend raises, no later frame will get through
            got = f"it no longer takes pictures ({' '.join(str(error).split()) or type(error).__name__})"
            raise SinkError(
                self.name, got, "start veneer again; if it still fails, reload the camera's driver"
            ) from None

    def close(self) -> None:
        """Close the camera and release its lock; idempotent. Remaining readers of v4l2loopback see the card."""
        if self._camera is not None and self._standby is not None and self._standby.is_active:
            with contextlib.suppress(SinkError):
                self._write(card(self._size_wh))
        self._release()

    def _release(self) -> None:
        lock, camera, standby = self._lock, self._camera, self._standby
        self._lock = self._camera = self._standby = None
        with contextlib.ExitStack() as stack:  # the last one is closed first
            if lock is not None:
                stack.callback(lock.release)
            if camera is not None:
                stack.callback(camera.close)
            if standby is not None:
                stack.callback(standby.close)
