"""`--mic-delay`: delays the sound by the latency of the picture.

The latency is the median time from a complete frame in memory to its delivery to the virtual camera, measured during
the run. The latencies of the webcam and the microphone themselves are unknown and not included.

On PipeWire and PulseAudio a virtual microphone outputs the sound of the default one with this delay until the run ends.
The user selects it in the call program: these programs ignore a port's latency offset. On other systems the delay is
only printed.

Viewers notice sound that is 45 ms early or 125 ms late (thresholds of ITU-R BT.1359-1). Therefore latencies below 20 ms
are not compensated, and a delay is changed only when the latency has changed by more than 30 ms.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable

MIN_DELAY_MS, DELAY_CHANGE_MS = 20.0, 30.0
MICROPHONE, HIDDEN_SINK = "Veneer-microphone", "veneer_delay"
_SOURCE = "veneer_microphone"
_CHECK_INTERVAL_S, _CALL_TIMEOUT_S, _REMOVE_TIMEOUT_S = 1.0, 3.0, 0.4
_MANUAL_REMEDY = (
    "set this delay in your call program or in OBS, if it offers one (OBS: Advanced Audio Properties, Sync Offset)"
)


class SoundServerError(Exception):
    """The sound server is missing or refuses a command."""


class DelayedMicrophone:
    """A virtual microphone on PipeWire or PulseAudio, created and removed with `pactl`."""

    def __init__(self, program: str = "pactl") -> None:
        self._program = program
        self._modules: list[str] = []  # in loading order; the last is the delay itself

    def set(self, delay_ms: float) -> str:
        """Create the microphone or change its delay; return the name of the microphone that it delays.

        Raises:
            SoundServerError: There is no sound server, or it has no microphone that can be delayed.
        """
        source = self._call("get-default-source")
        if source in ("", "@DEFAULT_SOURCE@") or source.endswith(".monitor") or source == _SOURCE:
            raise SoundServerError(f"the default microphone is {source or 'missing'}, which cannot be delayed")
        try:
            if self._modules:
                self._call("unload-module", self._modules.pop())
            else:
                self._remove_leftovers()
                description = f"device.description={MICROPHONE}"
                self._load("module-null-sink", f"sink_name={HIDDEN_SINK}", f"sink_properties={description}-delay")
                properties = f"source_name={_SOURCE}", f"source_properties={description}"
                self._load("module-remap-source", f"master={HIDDEN_SINK}.monitor", *properties)
            self._load("module-loopback", f"source={source}", f"sink={HIDDEN_SINK}", f"latency_msec={delay_ms:.0f}")
        except SoundServerError:
            self.remove()
            raise
        return source

    def remove(self) -> None:
        """Remove the microphone; idempotent, never raises."""
        while self._modules:
            with contextlib.suppress(SoundServerError):
                self._call("unload-module", self._modules.pop(), timeout_s=_REMOVE_TIMEOUT_S)

    def _remove_leftovers(self) -> None:
        """Remove the modules of a killed run."""
        for line in reversed(self._call("list", "short", "modules").splitlines()):
            number, _, arguments = line.partition("\t")
            if HIDDEN_SINK in arguments or _SOURCE in arguments:
                self._call("unload-module", number)

    def _load(self, *arguments: str) -> None:
        self._modules.append(self._call("load-module", *arguments))

    def _call(self, *arguments: str, timeout_s: float = _CALL_TIMEOUT_S) -> str:
        try:
            done = subprocess.run([self._program, *arguments], capture_output=True, text=True, timeout=timeout_s)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SoundServerError(f"{self._program} does not answer ({type(error).__name__})") from None
        if done.returncode != 0:
            raise SoundServerError(" ".join(done.stderr.split()) or f"{self._program} {arguments[0]} failed")
        return done.stdout.strip()


class MicrophoneDelay:
    """Follows the latency of a run in a thread, from `start` to `stop`.

    Args:
        latency_ms: Returns the median latency of the last seconds; None while there are too few measurements.
        microphone: The microphone to delay; defaults to what this system supports.
        check_s: Interval between checks of the latency.

    Attributes:
        set_ms: The latency that was used last; None before the first.
    """

    def __init__(
        self,
        latency_ms: Callable[[], float | None],
        say: Callable[[str], None],
        *,
        microphone: DelayedMicrophone | None = None,
        check_s: float = _CHECK_INTERVAL_S,
    ) -> None:
        self._latency_ms, self._say, self._check_s = latency_ms, say, check_s
        self._microphone = microphone or (DelayedMicrophone() if shutil.which("pactl") else None)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mic delay", daemon=True)
        self.set_ms: float | None = None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and remove the microphone."""
        self._stopped.set()
        self._thread.join(_CALL_TIMEOUT_S)
        if self._microphone is not None:
            self._microphone.remove()
        if self.set_ms is None:
            self._say("mic delay: the run was too short to measure the latency of the picture")

    def _follow(self) -> None:
        while not self._stopped.wait(self._check_s):
            latency_ms = self._latency_ms()
            if latency_ms is not None and (self.set_ms is None or abs(latency_ms - self.set_ms) > DELAY_CHANGE_MS):
                self.set_ms = latency_ms
                self._say(f"mic delay: {self._apply(latency_ms)}")

    def _apply(self, latency_ms: float) -> str:
        """Set the delay; return the message for the user."""
        latency = f"the picture is {latency_ms:.0f} ms later than the sound"
        if latency_ms < MIN_DELAY_MS:
            if self._microphone is not None:
                self._microphone.remove()
            return f"{latency}, which is not noticeable; no delay is set"
        if self._microphone is None:
            return f"{latency}; {_MANUAL_REMEDY}"
        try:
            source = self._microphone.set(latency_ms)
        except SoundServerError as error:
            return f"{latency}; {error}: {_MANUAL_REMEDY}"
        return f"{latency}; select the microphone {MICROPHONE} in the call, it delays the sound of {source} accordingly"
