"""What v4l2loopback does for a virtual camera beside taking frames: it tells who reads, and stands in for the dead."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from live.pipeline.frame import ImageU8
from live.sinks.v4l2loopback.loopback_device import LONGEST_TIMEOUT_MS, LoopbackDevice
from live.sinks.v4l2loopback.reader_watch import ReaderWatch

SILENT_MS = 1000  # the driver takes the writer for dead when it has sent nothing for so long, and for three frames
Opener = Callable[[str], LoopbackDevice]


class StandbyPicture:
    """Stands by one v4l2loopback device for as long as something writes to it.

    A program that dies leaves its last frame standing before whoever reads. With the driver's timeout picture set,
    readers get that a second later instead, whatever has become of the program (also after `kill -9`).

    Args:
        device: "/dev/video10".
        fps: how often frames come.
        opener: opens the device; another one stands in for the driver.
    """

    def __init__(self, device: str, *, fps: float, opener: Opener = LoopbackDevice) -> None:
        self._device, self._opener = device, opener
        self._silent_ms = min(LONGEST_TIMEOUT_MS, max(SILENT_MS, round(3000 / fps)))
        self._before_ms: int | None = None
        self._held: LoopbackDevice | None = None
        self._watch: ReaderWatch | None = None

    @property
    def guards(self) -> bool:
        """Whether the timeout picture is set."""
        return self._before_ms is not None

    def guard(self, card_bgr: ImageU8) -> str:
        """Let readers see the card once frames fail to come.

        To be called when the writer has agreed on a format with the driver and has sent nothing yet: the picture must
        be there before the first reader is (see `LoopbackDevice.end_timeout`).

        Returns:
            Why that cannot be, or nothing.
        """
        try:
            self._held = device = self._held or self._opener(self._device)
            device.stand_as_writer()
            before_ms = device.timeout_ms()
            device.set_timeout_picture(card_bgr)
            device.set_timeout_ms(self._silent_ms)
        except OSError as error:
            return f"{error.strerror or error}"
        self._before_ms = 0 if before_ms == self._silent_ms else before_ms  # the same: one of ours died here before
        return ""

    def watch(self, report: Callable[[int | None], None]) -> None:
        """Report from now on how many programs read the device."""
        self._watch = ReaderWatch(self._device, report, loopback=self._opener)
        self._watch.start()

    def close(self) -> None:
        """Leave the device as it was found, open to the next writer; idempotent. To be called after the last frame."""
        watch, held, before_ms = self._watch, self._held, self._before_ms
        self._watch = self._held = self._before_ms = None
        if watch is not None:
            watch.stop()
        if held is not None:
            with contextlib.suppress(OSError), held:
                if before_ms is not None:
                    held.end_timeout(before_ms)


def free(device: str, *, opener: Opener = LoopbackDevice) -> None:
    """Open a device to writers that a program left shut which is gone; one that anybody writes to is left alone."""
    with contextlib.suppress(OSError), opener(device) as beside:
        if beside.left_shut:
            beside.stand_as_writer()
