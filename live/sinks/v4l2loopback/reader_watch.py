"""Who reads the virtual camera: a thread that is asleep until somebody comes or goes.

v4l2loopback 0.13 and later send an event when a reader starts or stops streaming. Older ones (Debian 12 has 0.12.7)
send none: there the system tells of every opening and closing of the device file, and a look into /proc says by whom.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

from live.sinks.v4l2loopback.inotify import Openings
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.sinks.virtual_camera_help import LinuxPaths, descriptors_on

CHECK_S = 10.0  # so often what the news say is held against how it is
POLL_S = 0.5  # and so often where nothing tells the news
_SETTLE_S = 0.05  # a program that has just opened the device is seen in /proc a moment later


class ReaderWatch:
    """Reports how many other programs read a v4l2loopback device.

    Programs of other users cannot be seen in /proc. Their openings are heard all the same: an opening that nobody
    visible did counts as a reader until a closing that nobody visible did. In doubt somebody reads.

    Args:
        device: "/dev/video10".
        report: called with the number of readers, at once and whenever it changes, from this watch's own thread;
            with None where it cannot be known.
        loopback: opens the device; another one stands in for the driver.
        paths: where /proc is.
    """

    def __init__(
        self,
        device: str,
        report: Callable[[int | None], None],
        *,
        loopback: Callable[[str], LoopbackDevice] = LoopbackDevice,
        paths: LinuxPaths | None = None,
    ) -> None:
        self._device, self._report, self._loopback = device, report, loopback
        self._paths = paths or LinuxPaths()
        self._stopped, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"readers of {device}", daemon=True)
        self._said: int | None = -1
        self.by = ""

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End; waits for the thread. Idempotent."""
        wake, self._wake = self._wake, -1
        if wake < 0:
            return
        os.close(wake)  # the other end of the pipe becomes readable
        if self._thread.is_alive():
            self._thread.join(1.0)
        if not self._thread.is_alive():
            os.close(self._stopped)

    def _run(self) -> None:
        try:
            with contextlib.suppress(OSError), self._loopback(self._device) as device:
                device.subscribe_usage()
                self.by = "event"
                self._follow_events(device)
                return
            with contextlib.closing(Openings(Path(self._device))) as openings:
                self.by = "openings"
                self._follow_openings(openings)
                return
        except OSError:
            self.by = "polling"
            self._poll()

    def _say(self, readers: int | None) -> None:
        if readers != self._said:
            self._said = readers
            self._report(readers)

    def _news(self, descriptor: int, mask: int, timeout_s: float) -> bool | None:
        """Whether there is news; None once the watch shall end."""
        poll = select.poll()
        poll.register(self._stopped, select.POLLIN)
        if descriptor >= 0:
            poll.register(descriptor, mask)
        told = dict(poll.poll(timeout_s * 1e3))
        if self._stopped in told:
            return None
        if told.get(descriptor, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise OSError(f"{self._device} is gone")
        return bool(told)

    def _follow_events(self, device: LoopbackDevice) -> None:
        # The state of the beginning does not come as an event on every kernel.
        seen = self._seen()
        self._say(_newest(device, seen and seen[1]))
        while (news := self._news(device.descriptor, select.POLLPRI, CHECK_S)) is not None:
            if news:
                self._say(_newest(device, self._said))
            else:  # an event that got lost would keep the camera off for ever: ask anew
                with self._loopback(self._device) as fresh:
                    fresh.subscribe_usage()
                    self._say(_newest(fresh, self._said))

    def _follow_openings(self, openings: Openings) -> None:
        seen, hidden = self._seen(), 0
        self._say(seen and seen[1])
        while (news := self._news(openings.descriptor, select.POLLIN, CHECK_S)) is not None:
            if news:
                time.sleep(_SETTLE_S)
            before = sum(seen or ())
            (opened, closed), seen = openings.news(), self._seen()
            while (more := openings.news()) != (0, 0):  # what was seen shall be no newer than what was heard
                opened, closed, seen = opened + more[0], closed + more[1], self._seen()
            hidden = still_hidden(hidden, opened, closed, sum(seen or ()) - before)
            self._say(seen and seen[1] + hidden)

    def _poll(self) -> None:
        while True:
            seen = self._seen()
            self._say(seen and seen[1])
            if self._news(-1, 0, POLL_S) is None:
                return

    def _seen(self) -> tuple[int, int] | None:
        return descriptors_on(Path(self._device), self._paths)


def still_hidden(hidden: int, opened: int, closed: int, more_seen: int) -> int:
    """How many openings are held by programs that cannot be seen.

    Args:
        hidden: as it was before.
        opened: how many openings were heard since; several in a row may be heard as one.
        closed: the same of closings.
        more_seen: how many more openings are seen in /proc than before, less than 0 where there are fewer.
    """
    now = hidden + opened - closed - more_seen
    if not opened:
        now = min(now, hidden)  # two closings were heard as one
    if not closed:
        now = max(now, hidden)  # two openings were
    return max(0, now)


def _newest(device: LoopbackDevice, otherwise: int | None) -> int | None:
    """What the last of the waiting events says; `otherwise` where none waits."""
    readers = otherwise
    while (count := device.next_usage()) is not None:
        readers = count
    return readers
