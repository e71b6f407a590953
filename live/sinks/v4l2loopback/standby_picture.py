"""The picture that v4l2loopback shows to readers when the writer has stopped, and the count of readers."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from live.pipeline.frame import ImageU8
from live.sinks.v4l2loopback.loopback_device import MAX_TIMEOUT_MS, LoopbackDevice
from live.sinks.v4l2loopback.reader_watch import ReaderWatch

TIMEOUT_MS = 1000  # without a frame for this long, and for three frame intervals, the writer counts as dead
Opener = Callable[[str], LoopbackDevice]


class StandbyPicture:
    """Sets the driver's timeout picture, and watches the readers, while a writer uses the device.

    Without it, readers keep seeing the last frame of a program that died. With the timeout picture, they see that
    picture a second later instead, even after `kill -9`.

    Args:
        device: Device file, such as "/dev/video10".
        fps: Frame rate of the writer.
    """

    def __init__(self, device: str, *, fps: float, opener: Opener = LoopbackDevice) -> None:
        self._device, self._opener = device, opener
        self._timeout_ms = min(MAX_TIMEOUT_MS, max(TIMEOUT_MS, round(3000 / fps)))
        self._original_ms: int | None = None
        self._held: LoopbackDevice | None = None
        self._watch: ReaderWatch | None = None

    @property
    def is_active(self) -> bool:
        """Whether the timeout picture is set."""
        return self._original_ms is not None

    def activate(self, card_bgr: ImageU8) -> str:
        """Let readers see the card when frames stop.

        Must be called after the writer has negotiated a format with the driver and before its first frame, because
        the picture must exist before the first reader does (see `LoopbackDevice.restore_timeout_ms`). The card is
        (H, W, 3) uint8 BGR of the stream's size. Returns the reason if the driver refuses; otherwise an empty string.
        """
        try:
            self._held = device = self._held or self._opener(self._device)
            device.restore_writer_access_on_close()
            original_ms = device.timeout_ms()
            device.set_timeout_picture(card_bgr)
            device.set_timeout_ms(self._timeout_ms)
        except OSError as error:
            return f"{error.strerror or error}"
        # If it equals ours, an earlier instance died before it could restore the setting.
        self._original_ms = 0 if original_ms == self._timeout_ms else original_ms
        return ""

    def watch_readers(self, report: Callable[[int | None], None]) -> None:
        """Start to report the number of programs that read the device; None if it cannot be known."""
        self._watch = ReaderWatch(self._device, report, loopback=self._opener)
        self._watch.start()

    def close(self) -> None:
        """Restore the device for the next writer; idempotent. Must be called after the last frame."""
        watch, held, original_ms = self._watch, self._held, self._original_ms
        self._watch = self._held = self._original_ms = None
        if watch is not None:
            watch.stop()
        if held is not None:
            with contextlib.suppress(OSError), held:
                if original_ms is not None:
                    held.restore_timeout_ms(original_ms)


def reopen_for_writers(device: str, *, opener: Opener = LoopbackDevice) -> None:
    """Make a device accept writers again after its last writer died; a device in use is left unchanged."""
    with contextlib.suppress(OSError), opener(device) as opened:
        if opened.refuses_writers:
            opened.restore_writer_access_on_close()
