"""Whether anybody watches: while nobody does, the webcam is let go and nothing is worked out."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from engines.errors import OptionsError
from live.control.controls import Controls
from live.options import LiveOptions

LINGER_S = 3.0  # a program that changes its settings closes the camera and opens it again
_SNAPSHOT_S = 5.0  # somebody asked for a picture: so long there is a camera to take it with


class ViewerPresence:
    """What the virtual cameras know of their readers, and what else wants frames.

    Until the first report somebody watches. After the last reader has left, or the recording has ended, or a snapshot
    was asked for, somebody still watches for a few seconds.

    Args:
        controls: asked for recordings and snapshots.
        linger_s: how long after the last reader.
        clock: monotonic seconds.
    """

    def __init__(
        self, controls: Controls, *, linger_s: float = LINGER_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._controls, self._linger_s, self._clock = controls, linger_s, clock
        self._changed = threading.Condition()
        self._readers: dict[str, int | None] = {}
        self._until_s = float("-inf")
        self._snapshots = controls.read().snapshots

    def report(self, camera: str, readers: int | None) -> None:
        """So many programs read that virtual camera now; None where it cannot be known, which counts as a reader."""
        with self._changed:
            if self._readers.get(camera, None) != 0:
                self._until_s = max(self._until_s, self._clock() + self._linger_s)
            self._readers[camera] = readers
            self._changed.notify_all()

    def watched(self) -> bool:
        """Whether anybody watches now."""
        with self._changed:
            return self._watched()

    def wait(self, timeout_s: float) -> bool:
        """Wait until somebody watches, or the time is over; the same as `watched` then."""
        with self._changed:
            self._changed.wait_for(self._watched, timeout_s)
            return self._watched()

    def _watched(self) -> bool:
        state, now_s = self._controls.read(), self._clock()
        if state.snapshots != self._snapshots:
            self._snapshots = state.snapshots
            self._until_s = max(self._until_s, now_s + _SNAPSHOT_S)
        if state.recording or not self._readers or any(readers != 0 for readers in self._readers.values()):
            self._until_s = max(self._until_s, now_s + self._linger_s)
            return True
        return now_s < self._until_s


def may_rest(options: LiveOptions, *, live: bool, system: str = sys.platform) -> bool:
    """Whether a run may idle while nobody watches.

    Args:
        options: `idle` asks for it (True), forbids it (False) or leaves it to what is possible (None).
        live: whether the source is a camera or plays like one; a film goes on by itself.
        system: as sys.platform.

    Raises:
        OptionsError: it is asked for and cannot be.
    """
    if options.idle is False:
        return False
    why, do = why_not(options, live=live, system=system)
    if why and options.idle:
        raise OptionsError("--idle", why, do)
    return not why


def why_not(options: LiveOptions, *, live: bool, system: str = sys.platform) -> tuple[str, str]:
    """Why a run cannot idle, and what to do; empty where it can. The arguments are those of `may_rest`."""
    others = [sink for sink in options.sinks if sink.partition(":")[0] != "virtual-camera"]
    if not system.startswith("linux"):
        return "only Linux's v4l2loopback tells whether somebody reads the virtual camera", "leave it away"
    if others:
        return f"{others[0]} always watches", "use virtual cameras only, or leave it away"
    if options.frames is not None:
        return "--frames wants frames whether somebody watches or not", "leave it away"
    if not live:
        return f"{options.source} is no camera that could be released", "leave it away"
    return "", ""
