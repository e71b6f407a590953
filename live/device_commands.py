"""Commands that change the devices of a run: `camera`, `sink` and `microphone`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from engines.errors import OptionsError
from live.sinks.delayed_microphone import MicrophoneDelay
from live.sources.source_choice import offers

if TYPE_CHECKING:
    from live.session import Session

_MIN_LATENCY_FRAMES = 60  # before the latency is used to delay the sound
_MAX_DELAY_MS = 2000.0


class DeviceCommands:
    """Executes the commands, in the thread that applies them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._delay: MicrophoneDelay | None = None
        for verb, execute in {"camera": self.camera, "sink": self.sink, "microphone": self.microphone}.items():
            session.controls.handle(verb, execute)

    def close(self) -> None:
        """Remove the delayed microphone; idempotent."""
        self.microphone("off")

    def cameras(self) -> list[dict[str, Any]]:
        """Return the sources that can be selected; see `offers`. The run's own virtual cameras are left out."""
        session = self._session
        own = session.pipeline.sinks.devices()
        return [one for one in offers(session.source_choice.source) if one["name"] not in own]

    def camera(self, argument: str) -> str:
        """Select another camera, size or rate: "/dev/video2 1280x720 30fps"; "" only tells the present one."""
        session = self._session
        if argument:
            if session.idle_source is None:
                raise OptionsError(f"camera {argument}", "this run reads a file", "start another run")
            names = [str(one["name"]) for one in self.cameras()]
            session.source_choice = session.source_choice.changed(argument, names)
            session.idle_source.renew()
        return f"camera {session.source_choice}"

    def sink(self, argument: str) -> str:
        """Switch an output: "on NAME" or "off NAME"."""
        session = self._session
        how, _, name = argument.partition(" ")
        if how not in ("on", "off") or name not in session.sink_names():
            do = f"write: sink on NAME or sink off NAME, with one of {', '.join(session.sink_names())}"
            raise OptionsError(f"sink {argument}", "not a sink of this run", do)
        if session.pipeline.lossless:
            raise OptionsError(f"sink {argument}", "a film is written to its end", "start another run")
        if how == "off":
            session.pipeline.sinks.remove(name)
        else:
            session.pipeline.sinks.add(session.new_sink(name))
        return f"sink {name} {how}"

    def microphone(self, argument: str) -> str:
        """Delay the sound: "on" by the latency of the picture, a number of milliseconds, or "off"."""
        fixed_ms = _milliseconds(argument) if argument not in ("", "on", "off") else None
        session = self._session
        with self._lock:
            if argument and self._delay is not None:
                self._delay.stop()
                self._delay = None
            if argument not in ("", "off"):
                latency = self._latency_ms if fixed_ms is None else lambda: fixed_ms
                self._delay = MicrophoneDelay(latency, session.say)
                self._delay.start()
            if self._delay is None:
                return "microphone off"
        return f"microphone {argument or 'on'}"

    def microphone_state(self) -> dict[str, Any]:
        """Return whether the sound is delayed, and by how many milliseconds; None while that is measured."""
        delay = self._delay
        return {"on": delay is not None, "delay_ms": None if delay is None else delay.set_ms}

    def _latency_ms(self) -> float | None:
        timings = self._session.pipeline.timings
        return timings.recent()[1] if timings.frames_out >= _MIN_LATENCY_FRAMES else None


def _milliseconds(text: str) -> float:
    try:
        delay_ms = float(text)
    except ValueError:
        delay_ms = -1.0
    if not 0 < delay_ms <= _MAX_DELAY_MS:
        raise OptionsError(
            f"microphone {text[:20]}", "not a delay", f"use on, off, or up to {_MAX_DELAY_MS:.0f} milliseconds"
        )
    return delay_ms
