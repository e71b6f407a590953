"""`--mic-delay`: sound that is as late as the picture.

The picture is later than the sound by what this program does to it: the time from the moment a frame is complete in
memory until it is handed to the virtual camera, measured in this very run (its median). What the webcam and the
microphone need themselves is not known here and not part of it.

On PipeWire and PulseAudio a second microphone is made that gives the sound of the first one so much later; the call has
to be told to use it. The first microphone, the default one and all their settings stay as they are, and the second
one is gone when the run ends. (A latency offset of the port would be simpler, and would change nothing: it is a remark
to programs that care, and programs for calls do not.) On other systems the number is only said.

People notice sound that is 45 ms early or 125 ms late (the thresholds of ITU-R BT.1359-1), so nothing is made for less
than 20 ms, and a delay that is set stays until the measured one has moved by more than 30 ms.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable

LEAST_MS, MOVED_MS = 20.0, 30.0
MICROPHONE, HIDDEN_SINK = "Veneer-microphone", "veneer_delay"
_SOURCE = "veneer_microphone"
_CHECK_S, _CALL_S = 1.0, 3.0
_BY_HAND = "set so much where your program for calls or OBS lets you (OBS: Advanced Audio Properties, Sync Offset)"


class SoundError(Exception):
    """The sound server is not there, or refuses; in a few words."""


class DelayedMicrophone:
    """A second microphone on PipeWire or PulseAudio, made and removed with `pactl`.

    Args:
        program: the `pactl` to call.
    """

    def __init__(self, program: str = "pactl") -> None:
        self._program = program
        self._modules: list[str] = []  # in the order they were loaded; the last one is the delay itself

    def set(self, delay_ms: float) -> str:
        """Make it, or change its delay; returns the name of the microphone whose sound it gives.

        Raises:
            SoundError: there is no sound server that can be told, or it has no microphone.
        """
        heard = self._call("get-default-source")
        if heard in ("", "@DEFAULT_SOURCE@") or heard.endswith(".monitor") or heard == _SOURCE:
            raise SoundError(f"the default microphone is {heard or 'not there'}, which cannot be delayed")
        try:
            if self._modules:
                self._call("unload-module", self._modules.pop())
            else:
                self._remove_old()
                called = f"device.description={MICROPHONE}"
                self._load("module-null-sink", f"sink_name={HIDDEN_SINK}", f"sink_properties={called}-delay")
                source = f"source_name={_SOURCE}", f"source_properties={called}"
                self._load("module-remap-source", f"master={HIDDEN_SINK}.monitor", *source)
            self._load("module-loopback", f"source={heard}", f"sink={HIDDEN_SINK}", f"latency_msec={delay_ms:.0f}")
        except SoundError:
            self.remove()
            raise
        return heard

    def remove(self) -> None:
        """Take it away again; idempotent, never raises."""
        while self._modules:
            with contextlib.suppress(SoundError):
                self._call("unload-module", self._modules.pop(), timeout_s=0.4)

    def _remove_old(self) -> None:
        """What a run left behind that was killed."""
        for line in reversed(self._call("list", "short", "modules").splitlines()):
            number, _, arguments = line.partition("\t")
            if HIDDEN_SINK in arguments or _SOURCE in arguments:
                self._call("unload-module", number)

    def _load(self, *words: str) -> None:
        self._modules.append(self._call("load-module", *words))

    def _call(self, *words: str, timeout_s: float = _CALL_S) -> str:
        try:
            done = subprocess.run([self._program, *words], capture_output=True, text=True, timeout=timeout_s)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SoundError(f"{self._program} does not answer ({type(error).__name__})") from None
        if done.returncode != 0:
            raise SoundError(" ".join(done.stderr.split()) or f"{self._program} {words[0]} failed")
        return done.stdout.strip()


class MicDelay:
    """Follows the latency of a run in a thread of its own, from `start` to `stop`.

    Args:
        latency_ms: the median latency of the last seconds; None while too little was measured.
        say: takes one line for the person at the terminal.
        microphone: what is set; by default what this system offers.
        check_s: how often the latency is looked at.
    """

    def __init__(
        self,
        latency_ms: Callable[[], float | None],
        say: Callable[[str], None],
        *,
        microphone: DelayedMicrophone | None = None,
        check_s: float = _CHECK_S,
    ) -> None:
        self._latency_ms, self._say, self._check_s = latency_ms, say, check_s
        self._microphone = microphone or (DelayedMicrophone() if shutil.which("pactl") else None)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mic delay", daemon=True)
        self._set_ms: float | None = None

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and take the microphone away."""
        self._stopped.set()
        self._thread.join(_CALL_S)
        if self._microphone is not None:
            self._microphone.remove()
        if self._set_ms is None:
            self._say("mic delay: the run was too short to measure how late the picture is")

    def _follow(self) -> None:
        while not self._stopped.wait(self._check_s):
            latency_ms = self._latency_ms()
            if latency_ms is not None and (self._set_ms is None or abs(latency_ms - self._set_ms) > MOVED_MS):
                self._set_ms = latency_ms
                self._say(f"mic delay: {self._now(latency_ms)}")

    def _now(self, latency_ms: float) -> str:
        """Do what is to be done for this latency; returns what the user shall know."""
        late = f"the picture is {latency_ms:.0f} ms later than the sound"
        if latency_ms < LEAST_MS:
            if self._microphone is not None:
                self._microphone.remove()
            return f"{late}, which nobody notices; nothing is set"
        if self._microphone is None:
            return f"{late}; {_BY_HAND}"
        try:
            heard = self._microphone.set(latency_ms)
        except SoundError as error:
            return f"{late}; {error}, so {_BY_HAND}"
        return f"{late}; choose the microphone {MICROPHONE} in the call, it gives the sound of {heard} so much later"
