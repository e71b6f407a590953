"""Microphone delay: on a real PulseAudio server with a silent source, and the message without a server."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from live.sinks.delayed_microphone import MICROPHONE, DelayedMicrophone, MicrophoneDelay, SoundServerError


class Lines:
    """Collects printed lines."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._changed = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._changed:
            self.all.append(line)
            self._changed.notify_all()

    def wait_for(self, number: int) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self.all) >= number, 60)


def _pactl(*words: str) -> str:
    return subprocess.run(["pactl", *words], capture_output=True, text=True, check=True, timeout=60).stdout.strip()


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A private PulseAudio server with one silent microphone; no sound card and no other server is used."""
    if not (shutil.which("pulseaudio") and shutil.which("pactl")):
        pytest.skip("pulseaudio is not installed (apt install pulseaudio pulseaudio-utils)")
    home = tmp_path_factory.mktemp("p")
    for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{home}/s")
    real = DelayedMicrophone._call  # its short timeouts would fail on a busy machine
    monkeypatch.setattr(DelayedMicrophone, "_call", lambda self, *words, **_: real(self, *words, timeout_s=60.0))
    modules = (
        f"module-native-protocol-unix auth-anonymous=1 socket={home}/s",
        "module-null-sink sink_name=room",
        "module-remap-source master=room.monitor source_name=mic",
    )
    options = ("-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm")
    loads = [word for module in modules for word in ("-L", module)]
    process = subprocess.Popen(["pulseaudio", *options, *loads], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end_s = time.monotonic() + 60
        while subprocess.run(["pactl", "info"], capture_output=True).returncode and time.monotonic() < end_s:
            time.sleep(0.1)
        _pactl("set-default-source", "mic")
        yield
    finally:
        process.terminate()
        process.wait(60)


def _loopbacks() -> list[str]:
    return [line for line in _pactl("list", "short", "modules").splitlines() if "module-loopback" in line]


def _sources() -> dict[str, str]:
    listed = json.loads(_pactl("--format=json", "list", "sources"))
    return {source["name"]: source["description"] for source in listed}


@pytest.mark.serial
def test_delayed_microphone_exists_during_the_run_only(server: None) -> None:
    before, lines = _pactl("list", "short", "modules"), Lines()
    latency_ms = [None, 80.0]
    delay = MicrophoneDelay(lambda: latency_ms[-1], lines, check_s=0.05)
    delay.start()
    assert lines.wait_for(1)
    assert lines.all[0].startswith("mic delay: the picture is 80 ms later than the sound; select the microphone")
    assert "the sound of mic" in lines.all[0]
    assert _sources()["veneer_microphone"] == MICROPHONE
    assert [("source=mic" in line, "latency_msec=80" in line) for line in _loopbacks()] == [(True, True)]
    latency_ms.append(100.0)  # below the threshold of a change
    time.sleep(0.3)
    latency_ms.append(150.0)
    assert lines.wait_for(2)
    assert "150 ms" in lines.all[1]
    assert ["latency_msec=150" in line for line in _loopbacks()] == [True]
    assert _pactl("get-default-source") == "mic"
    delay.stop()
    assert _pactl("list", "short", "modules") == before


@pytest.mark.serial
def test_modules_of_a_killed_run_are_replaced(server: None) -> None:
    DelayedMicrophone().set(90)  # and never removed, as by a killed run
    second = DelayedMicrophone()
    assert second.set(120) == "mic"
    assert ["latency_msec=120" in line for line in _loopbacks()] == [True]
    second.remove()
    assert _loopbacks() == []
    assert "veneer" not in _pactl("list", "short", "modules")


@pytest.mark.serial
def test_monitor_source_is_not_delayed(server: None) -> None:
    _pactl("set-default-source", "room.monitor")
    before = _pactl("list", "short", "modules")
    with pytest.raises(SoundServerError, match=r"the default microphone is room\.monitor, which cannot be delayed"):
        DelayedMicrophone().set(80)
    assert _pactl("list", "short", "modules") == before


def _messages(latency_ms: Callable[[], float | None], microphone: DelayedMicrophone | None) -> list[str]:
    lines = Lines()
    delay = MicrophoneDelay(latency_ms, lines, microphone=microphone, check_s=0.02)
    delay.start()
    assert lines.wait_for(1)
    delay.stop()
    return lines.all


def test_missing_sound_server_prints_the_delay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = "set this delay in your call program or in OBS"
    (line,) = _messages(lambda: 64.0, DelayedMicrophone(str(tmp_path / "no-pactl")))
    assert line.startswith("mic delay: the picture is 64 ms later than the sound; ")
    assert "does not answer" in line
    assert manual in line
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    (line,) = _messages(lambda: 64.0, None)
    assert line.startswith(f"mic delay: the picture is 64 ms later than the sound; {manual}")


def test_unnoticeable_latency_is_not_compensated(tmp_path: Path) -> None:
    (line,) = _messages(lambda: 6.4, DelayedMicrophone(str(tmp_path / "no-pactl")))
    assert line == "mic delay: the picture is 6 ms later than the sound, which is not noticeable; no delay is set"


def test_too_short_run_is_reported(tmp_path: Path) -> None:
    lines = Lines()
    delay = MicrophoneDelay(lambda: None, lines, microphone=DelayedMicrophone(str(tmp_path / "no-pactl")), check_s=0.02)
    delay.start()
    delay.stop()
    assert lines.all == ["mic delay: the run was too short to measure the latency of the picture"]
