"""Counts the readers of a virtual camera, in a thread that sleeps until the number may have changed.

v4l2loopback 0.13 and later send an event when a reader starts or stops streaming. For older versions (Debian 12 has
0.12.7), inotify reports openings and closings of the device file, and /proc shows which programs have it open.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path

from live.sinks.v4l2loopback.file_open_watcher import FileOpenWatcher
from live.sinks.v4l2loopback.loopback_device import LoopbackDevice
from live.v4l2_devices import PROC, count_descriptors

CHECK_INTERVAL_S = 10.0  # between checks of the count against the actual state
POLL_INTERVAL_S = 0.5  # if neither events nor inotify are available
_PROC_DELAY_S = 0.05  # a program that opens the device appears in /proc a little later


class ReaderWatch:
    """Reports how many other programs read a v4l2loopback device.

    Programs of other users are not visible in /proc, but inotify reports their openings: an opening by no visible
    program counts as a reader until a closing by no visible program. In doubt a reader is assumed.

    Args:
        device: Device file, such as "/dev/video10".
        report: Called from the watch's thread with the number of readers, at the start and on each change; with None
            if the number cannot be known.

    Attributes:
        method: "event", "inotify" or "polling"; empty before the start.
    """

    def __init__(
        self,
        device: str,
        report: Callable[[int | None], None],
        *,
        loopback: Callable[[str], LoopbackDevice] = LoopbackDevice,
        proc: Path = PROC,
    ) -> None:
        self._device, self._report, self._loopback, self._proc = device, report, loopback, proc
        self._stop_reader, self._stop_writer = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"readers of {device}", daemon=True)
        self._reported: int | None = -1
        self.method = ""

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for it; idempotent."""
        writer, self._stop_writer = self._stop_writer, -1
        if writer < 0:
            return
        os.close(writer)  # makes the other end of the pipe readable
        if self._thread.is_alive():
            self._thread.join(1.0)
        if not self._thread.is_alive():
            os.close(self._stop_reader)

    def _run(self) -> None:
        try:
            with contextlib.suppress(OSError), self._loopback(self._device) as device:
                device.subscribe_usage()
                self.method = "event"
                self._follow_events(device)
                return
            with contextlib.closing(FileOpenWatcher(Path(self._device))) as watcher:
                self.method = "inotify"
                self._follow_inotify(watcher)
        except OSError:
            self.method = "polling"
            wait: bool | None = False
            while wait is not None:
                visible = self._count_visible()
                self._update(visible and visible[1])
                wait = self._wait(-1, 0, POLL_INTERVAL_S)

    def _update(self, readers: int | None) -> None:
        if readers != self._reported:
            self._reported = readers
            self._report(readers)

    def _wait(self, descriptor: int, mask: int, timeout_s: float) -> bool | None:
        """Wait for an event; return whether there is one, or None if the watch shall stop.

        Raises:
            OSError: The device is gone.
        """
        poll = select.poll()
        poll.register(self._stop_reader, select.POLLIN)
        if descriptor >= 0:
            poll.register(descriptor, mask)
        ready = dict(poll.poll(timeout_s * 1e3))
        if self._stop_reader in ready:
            return None
        if ready.get(descriptor, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            raise OSError(f"{self._device} is gone")
        return bool(ready)

    def _follow_events(self, device: LoopbackDevice) -> None:
        # Not every kernel sends the initial state as an event.
        visible = self._count_visible()
        self._update(_latest_usage(device, visible and visible[1]))
        while (has_event := self._wait(device.descriptor, select.POLLPRI, CHECK_INTERVAL_S)) is not None:
            if has_event:
                self._update(_latest_usage(device, self._reported))
            else:  # a lost event would keep the camera off for ever: subscribe again
                with self._loopback(self._device) as fresh:
                    fresh.subscribe_usage()
                    self._update(_latest_usage(fresh, self._reported))

    def _follow_inotify(self, watcher: FileOpenWatcher) -> None:
        visible, hidden = self._count_visible(), 0
        self._update(visible and visible[1])
        while (has_event := self._wait(watcher.descriptor, select.POLLIN, CHECK_INTERVAL_S)) is not None:
            if has_event:
                time.sleep(_PROC_DELAY_S)
            before = sum(visible or ())
            (opened, closed), visible = watcher.read_counts(), self._count_visible()
            while (more := watcher.read_counts()) != (0, 0):  # the view of /proc must not be newer than the counts
                opened, closed, visible = opened + more[0], closed + more[1], self._count_visible()
            hidden = updated_hidden_count(hidden, opened, closed, sum(visible or ()) - before)
            self._update(visible and visible[1] + hidden)

    def _count_visible(self) -> tuple[int, int] | None:
        return count_descriptors(Path(self._device), self._proc)


def updated_hidden_count(hidden: int, opened: int, closed: int, visible_change: int) -> int:
    """Return the number of openings held by programs that are not visible in /proc.

    `hidden` is the previous number, `visible_change` that of the visible descriptors. Several openings or closings may
    have been reported as one.
    """
    updated = hidden + opened - closed - visible_change
    if not opened:
        updated = min(updated, hidden)  # two closings were merged
    if not closed:
        updated = max(updated, hidden)  # two openings were merged
    return max(0, updated)


def _latest_usage(device: LoopbackDevice, default: int | None) -> int | None:
    """Return the reader count of the last queued event; `default` if there is none."""
    readers = default
    while (count := device.next_usage()) is not None:
        readers = count
    return readers
