"""The virtual camera sink: v4l2loopback on Linux, OBS's camera on Windows and macOS, all through pyvirtualcam."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from engines.errors import SinkError
from engines.paths import runtime_dir
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.recording.video_encoder import pad_edges
from live.render.privacy_fallback import card
from live.sinks.base import FrameSink
from live.sinks.v4l2loopback.device_lock import DeviceLock
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.sinks.v4l2loopback.standby_picture import Opener, StandbyPicture, free
from live.sinks.virtual_camera_help import explain, loopback_devices

if TYPE_CHECKING:
    from live.pipeline.viewer_presence import ViewerPresence

MIN_SIZE_WH = (48, 32)  # the smallest that older v4l2loopback modules take
FALLBACK_FPS = 30.0
_REST_S = 0.25  # a send while nobody watches takes so long


class OpenCamera(Protocol):
    """What is used of pyvirtualcam.Camera."""

    @property
    def device(self) -> str:
        """The device's name."""
        ...

    def send(self, frame: ImageU8) -> None:
        """Hand on one frame."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


CameraFactory = Callable[..., OpenCamera]
"""Called as `pyvirtualcam.Camera(width, height, fps, fmt=..., device=..., print_fps=False)`."""


class VirtualCameraSink(FrameSink):
    """Hands each frame to the virtual camera, at once and without waiting.

    The size is that of the first frame, made even (a chroma sample covers two pixels each way) and at least 48x32.
    Frames of other sizes are fitted into it with black bars.

    On v4l2loopback the driver shows the card if this program dies (see `StandbyPicture`). While nobody watches,
    the card lies in the camera, frames are thrown away and `send` takes its time: whoever comes sees first the card,
    then frames that were taken after he came, and never an old one.

    Attributes:
        name: "virtual-camera", or "virtual-camera:DEVICE" where one was asked for.
        device: the device that is really used, once open.
    """

    live = True
    main_thread = False

    def __init__(
        self,
        device: str | None = None,
        *,
        camera: CameraFactory | None = None,
        lock_dir: Path | None = None,
        loopback: Opener | None = None,
    ) -> None:
        """Nothing is opened yet.

        Args:
            device: "/dev/video10" on Linux, the camera's name elsewhere; None takes the first that works.
            camera: stands in for pyvirtualcam.Camera.
            lock_dir: where the lock files lie; the user's runtime folder by default.
            loopback: opens the device beside pyvirtualcam; by default only where that is the real one, on Linux.
        """
        self.name = "virtual-camera" + (f":{device}" if device else "")
        self.device = ""
        self._asked_device = device or None
        self._factory = camera
        self._lock_dir = lock_dir
        self._lock: DeviceLock | None = None
        self._camera: OpenCamera | None = None
        self._loopback = loopback
        self._stand_by: StandbyPicture | None = None
        self._viewers: ViewerPresence | None = None
        self._say: Callable[[str], None] = lambda line: None
        self._rests = False
        self._rested_s = float("-inf")  # frames that were taken before are not shown any more

    def set_viewers(self, viewers: ViewerPresence | None, say: Callable[[str], None]) -> None:
        """See `FrameSink.set_viewers`. Without readers, the camera shows the card and frames are discarded."""
        self._viewers, self._say = viewers, say

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Open the virtual camera.

        Raises:
            SinkError: there is none, it is in use, or may not be used; `do` holds the steps for this system.
        """
        if self._asked_device is not None:
            self._take_lock(self._asked_device)
        try:
            self._size_wh = camera_size(size_wh)
            fps = fps if math.isfinite(fps) and fps > 0 else FALLBACK_FPS
            beside = self._beside()
            self._free_devices(beside)
            self._camera = self._open_camera(fps)
            self.device = self._camera.device
            self._stand_by = StandbyPicture(self.device, fps=fps, opener=beside) if beside is not None else None
            if self._lock is None:  # which device it is was for pyvirtualcam to find
                self._take_lock(self.device)
            self._guard()
        except BaseException:
            self._let_go()
            raise

    def _open_camera(self, fps: float) -> OpenCamera:
        asked = f"{self.name} at {self._size_wh[0]}x{self._size_wh[1]}"
        try:
            factory, pixel_format = self._factory, "BGR"
            if factory is None:
                import pyvirtualcam

                factory, pixel_format = pyvirtualcam.Camera, pyvirtualcam.PixelFormat.BGR
            return factory(*self._size_wh, fps, fmt=pixel_format, device=self._asked_device, print_fps=False)
        except ImportError as failure:
            raise SinkError(asked, f"pyvirtualcam cannot be loaded ({failure})", "pip install pyvirtualcam") from None
        except Exception as failure:  # the library raises RuntimeError, ValueError and what its backends please
            self._blame_another_veneer()
            raise SinkError(asked, *explain(self._asked_device, str(failure))) from None

    def _beside(self) -> Opener | None:
        """What opens v4l2loopback devices beside pyvirtualcam; None where there are none."""
        if self._loopback is not None or self._factory is not None or not sys.platform.startswith("linux"):
            return self._loopback
        return LoopbackDevice

    def _free_devices(self, beside: Opener | None) -> None:
        if beside is not None:
            for device in [self._asked_device] if self._asked_device else map(str, loopback_devices()):
                free(device, opener=beside)

    def _blame_another_veneer(self) -> None:
        """Where no device was named and one of ours is running, that is why none is free."""
        for lock in DeviceLock.all_in(self._lock_dir or runtime_dir()) if self._asked_device is None else ():
            if not lock.take():
                raise self._in_use(lock)
            lock.let_go()

    def _take_lock(self, device: str) -> None:
        lock = DeviceLock(device, self._lock_dir or runtime_dir())
        if not lock.take():
            raise self._in_use(lock)
        self._lock = lock

    def _in_use(self, lock: DeviceLock) -> SinkError:
        holder = lock.holder()
        got = "another veneer is sending to it" + (f" (process {holder})" if holder else "")
        return SinkError(self.name, got, "stop that one first, or give each its own device")

    def send(self, frame: Frame) -> None:
        """Hand on one frame, or rest a little while nobody watches.

        Raises:
            SinkError: the camera is gone.
        """
        if self._camera is None:
            return
        if self._viewers is not None and not self._viewers.watched():
            self._rest(self._viewers)
            return
        self._rests = False
        if frame.captured_s <= self._rested_s:
            self._write(card(self._size_wh))
        else:
            is_odd_only = all(0 <= side - own <= 1 for side, own in zip(self._size_wh, frame.size_wh, strict=True))
            self._write((pad_edges if is_odd_only else fit_into)(frame.bgr, self._size_wh))

    def _rest(self, viewers: ViewerPresence) -> None:
        """The card, once, and then nothing: short naps that end when somebody comes."""
        if not self._rests:
            self._rests = True
            self._write(card(self._size_wh))
        else:
            viewers.wait(_REST_S)
        self._rested_s = time.monotonic()

    def _write(self, picture_bgr: ImageU8) -> None:
        assert self._camera is not None
        try:
            self._camera.send(np.ascontiguousarray(picture_bgr))
        except Exception as failure:  # whatever the backend raises, no later frame will get through
            got = f"it no longer takes pictures ({' '.join(str(failure).split()) or type(failure).__name__})"
            raise SinkError(
                self.name, got, "start veneer again; if it stays so, load the camera's driver anew"
            ) from None

    def _guard(self) -> None:
        if self._stand_by is None:
            return
        if why := self._stand_by.guard(card(self._size_wh)):
            self._say(f"{self.device} cannot show a card should veneer die, its last frame would stay there: {why}")
        if (viewers := self._viewers) is not None:
            self._stand_by.watch(lambda readers: viewers.report(self.device, readers))

    def close(self) -> None:
        """Let go of the camera and of its lock; idempotent. Who still reads v4l2loopback is left with the card."""
        if self._camera is not None and self._stand_by is not None and self._stand_by.guards:
            with contextlib.suppress(SinkError):
                self._write(card(self._size_wh))
        self._let_go()

    def _let_go(self) -> None:
        camera, lock, stand_by = self._camera, self._lock, self._stand_by
        self._camera = self._lock = self._stand_by = None
        try:
            if stand_by is not None:
                stand_by.close()
            if camera is not None:
                camera.close()
        finally:
            if lock is not None:
                lock.let_go()


def camera_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """The size to open a virtual camera with: even, and not below what the drivers take."""
    width, height = (max(least, side + side % 2) for side, least in zip(size_wh, MIN_SIZE_WH, strict=True))
    return width, height
