"""Whether the output is watched. Without viewers the webcam is released and no frames are rendered."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from engines.errors import OptionsError
from live.control.controls import Controls
from live.options import LiveOptions

GRACE_PERIOD_S = 3.0  # a program that changes its settings closes the virtual camera and opens it again
_SNAPSHOT_S = 5.0  # how long a snapshot command keeps the camera on


class ViewerPresence:
    """Combines the reader counts of the virtual cameras with the other needs for frames.

    Before the first report the output counts as watched. It still does for the grace period after the last reader
    left or a recording ended, and for a few seconds after a snapshot command.

    """

    def __init__(
        self,
        controls: Controls,
        *,
        grace_period_s: float = GRACE_PERIOD_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controls, self._grace_period_s, self._clock = controls, grace_period_s, clock
        self._changed = threading.Condition()
        self._readers: dict[str, int | None] = {}
        self._until_s = float("-inf")
        self._snapshots = controls.read().snapshots

    def report(self, camera: str, readers: int | None) -> None:
        """Set how many programs read a virtual camera; None if unknown, which counts as a reader."""
        with self._changed:
            if self._readers.get(camera, None) != 0:
                self._until_s = max(self._until_s, self._clock() + self._grace_period_s)
            self._readers[camera] = readers
            self._changed.notify_all()

    def readers(self) -> dict[str, int | None]:
        """Return the last report of each camera."""
        with self._changed:
            return dict(self._readers)

    def watched(self) -> bool:
        """Whether the output is watched now."""
        with self._changed:
            return self._watched()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the output is watched or the timeout has passed; return `watched`."""
        with self._changed:
            self._changed.wait_for(self._watched, timeout_s)
            return self._watched()

    def _watched(self) -> bool:
        state, now_s = self._controls.read(), self._clock()
        if state.snapshots != self._snapshots:
            self._snapshots = state.snapshots
            self._until_s = max(self._until_s, now_s + _SNAPSHOT_S)
        if state.recording or not self._readers or any(readers != 0 for readers in self._readers.values()):
            self._until_s = max(self._until_s, now_s + self._grace_period_s)
            return True
        return now_s < self._until_s


def can_idle(options: LiveOptions, *, live: bool, system: str = sys.platform) -> bool:
    """Whether a run idles without viewers; `live` if the source is a camera or plays like one.

    Raises:
        OptionsError: It is requested and not possible.
    """
    if options.idle is False:
        return False
    obstacle, remedy = idle_obstacle(options, live=live, system=system)
    if obstacle and options.idle:
        raise OptionsError("--idle", obstacle, remedy)
    return not obstacle


def idle_obstacle(options: LiveOptions, *, live: bool, system: str = sys.platform) -> tuple[str, str]:
    """Return why a run cannot idle, and what to do; empty texts if it can. See `can_idle` for the arguments."""
    watched_sinks = [sink for sink in options.sinks if sink.partition(":")[0] != "virtual-camera"]
    if not system.startswith("linux"):
        return "only Linux's v4l2loopback reports whether a program reads the virtual camera", "remove the option"
    if watched_sinks:
        return f"{watched_sinks[0]} always counts as watched", "use only virtual cameras, or remove the option"
    if options.frames is not None:
        return "--frames needs frames whether the output is watched or not", "remove the option"
    if not live:
        return f"{options.source} is not a camera that can be released", "remove the option"
    return "", ""
