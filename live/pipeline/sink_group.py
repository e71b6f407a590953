"""The senders of a run, one per sink. Sinks are switched on and off while it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from engines.errors import OptionsError
from engines.text import one_line
from live.pipeline.frame import Frame
from live.pipeline.sender import STOP_TIMEOUT_S, Sender
from live.pipeline.timing import Timings
from live.sinks.base import FrameSink

_WINDOW_INTERVAL_S = 1 / 60  # between two frames of a preview window
# From a sink, its first frame, what receives its new frames, and a handler of errors; without one they end the run.
NewSender = Callable[[FrameSink, Frame, Timings | None, Callable[[Exception], None] | None], Sender]


class SinkGroup:
    """The senders of a run.

    Args:
        new_sender: Builds a sender.
        timings: Receives the new frames of the first sender.
        say: Receives one-line messages for the user.
        over: Whether the end has begun.
        fail: Ends the run with an error of a sink; the second argument says where.

    Attributes:
        senders: Empty before the first frame is rendered. The list is replaced, not changed.
        lock: Held while senders are added, removed, or the end begins.
    """

    def __init__(
        self,
        new_sender: NewSender,
        timings: Timings,
        say: Callable[[str], None],
        *,
        over: Callable[[], bool],
        fail: Callable[[Exception, str], None],
    ) -> None:
        self._new_sender, self._timings, self._say, self._over, self._fail = new_sender, timings, say, over, fail
        self.senders: list[Sender] = []
        self.lock = threading.Lock()
        self._removed: list[Sender] = []  # of the main thread, which closes them
        self._dropped_before = 0  # by a first sender that was removed

    @property
    def dropped(self) -> int:
        """Number of frames that did not reach the first sink because a newer one came."""
        return self._dropped_before + (self.senders[0].slot.dropped if self.senders else 0)

    def output(self) -> tuple[Frame | None, float]:
        """Return what the first sink shows now, None before the first frame, and for how many seconds it does."""
        if not self.senders:
            return None, 0.0
        return self.senders[0].output, self.senders[0].shown_s

    @property
    def shown(self) -> str:
        """What the viewers of the first sink see now, as `Frame.shown`; "nothing" before the first frame."""
        output, _ = self.output()
        return output.shown if output is not None else "nothing"

    def counts(self) -> list[dict[str, object]]:
        """Return the name of each sink, and the numbers of frames that it got and that it missed."""
        return [{"sink": one.sink.name, "frames": one.sent, "dropped": one.slot.dropped} for one in self.senders]

    def devices(self) -> set[str]:
        """Return the device files of the virtual cameras in use."""
        return {device for one in self.senders if (device := getattr(one.sink, "device", ""))}

    def start(self, sinks: Sequence[FrameSink], first: Frame) -> None:
        """Start the senders with the first frame; the lock is held."""
        timings = [self._timings, *[None] * (len(sinks) - 1)]
        self.senders = [self._new_sender(sink, first, one, None) for sink, one in zip(sinks, timings, strict=True)]
        for sender in self.senders:
            sender.start()

    def add(self, sink: FrameSink) -> None:
        """Send frames to one more sink. If it fails, it is removed and the run goes on.

        Raises:
            OptionsError: There is no picture yet, or the sink is in use.
        """
        with self.lock:
            first, _ = self.output()
            if first is None or self._over():
                raise OptionsError(f"sink {sink.name}", "there is no picture yet", "try again")
            if any(one.sink.name == sink.name for one in self.senders):
                raise OptionsError(f"sink {sink.name}", "it is switched on already", "")
            sender = self._new_sender(sink, first, None, lambda error: self._drop(sink.name, error))
            sender.start()
            self.senders = [*self.senders, sender]

    def remove(self, name: str) -> None:
        """Complete and close a sink.

        Raises:
            OptionsError: It is not in use, or it is the only one.
        """
        with self.lock:
            chosen = next((one for one in self.senders if one.sink.name == name), None)
            if chosen is None:
                used = ", ".join(one.sink.name for one in self.senders)
                raise OptionsError(f"sink {name}", "it is not switched on", f"in use: {used}")
            if len(self.senders) == 1:
                raise OptionsError(f"sink {name}", "it is the only one", "switch another one on first, or quit")
            if chosen is self.senders[0]:
                self._dropped_before += chosen.slot.dropped
                self.senders[1].measure(self._timings)
                chosen.measure(None)
            self.senders = [one for one in self.senders if one is not chosen]
            if chosen.sink.main_thread:
                self._removed.append(chosen)
        if not chosen.sink.main_thread:
            chosen.finish()
            chosen.thread.join(STOP_TIMEOUT_S)

    def serve_windows(self, *, timeout_s: float) -> bool:
        """Serve the sinks of the main thread, and close those that were removed; called by the main thread.

        Args:
            timeout_s: How long each waits for a new frame before it processes its events.

        Returns:
            Whether there are any.
        """
        while self._removed:
            self._removed.pop().finish()
        windows = [sender for sender in self.senders if sender.sink.main_thread]
        for sender in windows:
            try:
                sender.poll(min_interval_s=_WINDOW_INTERVAL_S, timeout_s=timeout_s)
            except Exception as error:
                self._fail(error, f"sink {sender.sink.name}")
        return bool(windows)

    def finish(self, *, drain: bool) -> None:
        """Accept no more frames; with `drain`, live sinks discard those that wait."""
        for sender in self.senders:
            if drain and sender.sink.live:
                sender.slot.drain()
            try:
                sender.finish()
            except Exception as error:
                self._fail(error, f"sink {sender.sink.name}")

    def _drop(self, name: str, error: Exception) -> None:
        self._say(f"{one_line(error)}; sink {name} is switched off")
        with self.lock:
            self.senders = [one for one in self.senders if one.sink.name != name]
