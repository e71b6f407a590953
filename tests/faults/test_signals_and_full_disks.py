"""SIGINT, SIGTERM and SIGHUP to real processes at every stage of a run, and a full disk."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.cli_parts import HANG_S, WITH_TESTS, call, started, until
from support.fakes_loopback import FakeLoopback
from support.fakes_virtualcam import FakeVirtualCameras
from support.patience import QUICK_S, Patience, Queue
from support.sink_clips import read_pictures

import live.session
from engines.looks_file import load_looks
from live.control.controls import Command, Controls
from live.options import LiveOptions
from live.pipeline.frame import Frame
from live.recording.recorder import Recorder
from live.render.privacy_fallback import card
from live.session import Session
from live.sinks.virtual_camera import VirtualCameraSink

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# Python may end by the signal itself if it arrives while a class body is executed; a shell reports 130 for both.
_INTERRUPTED = (130, -signal.SIGINT)
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to observe the runs")


@pytest.fixture(autouse=True)
def _hangups_count() -> Iterator[None]:
    """Restore SIGHUP: child processes of tests under nohup would inherit that it is ignored."""
    before = signal.getsignal(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _is_in_main(pid: int) -> bool:
    """Whether the program handles signals itself; before that, Python is still starting."""
    with contextlib.suppress(OSError):
        rows = dict(row.split(":", 1) for row in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in row)
        return bool(int(rows["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def _has_loaded(pid: int, library: str) -> bool:
    with contextlib.suppress(OSError):
        return library in Path(f"/proc/{pid}/maps").read_text()
    return False


def _reached(stage: str, run: subprocess.Popen[str], folder: Path) -> object:
    """Whether the run has reached that stage."""
    assert run.poll() is None, run.communicate()
    if stage == "starting":
        return _is_in_main(run.pid)
    if stage == "loading":
        return _has_loaded(run.pid, "mediapipe")
    films = [path for path in folder.iterdir() if path.suffix == ".mp4"]
    return films if stage == "first frame" else [path for path in films if path.stat().st_size > 20_000]


@contextlib.contextmanager
def _three(folder: Path, stage: str) -> Iterator[list[subprocess.Popen[str]]]:
    """Start three runs that write a film each; yield them when all have reached the stage."""
    with contextlib.ExitStack() as stack:
        runs = []
        for name in SIGNALS:
            (folder / name).mkdir()
            sink = f"file:{folder / name / 'film.mp4'}"
            runs.append(stack.enter_context(started("run", "--source", "demo", "--size", "320x240", "--sink", sink)))
        for name, run in zip(SIGNALS, runs, strict=True):
            until(lambda run=run, name=name: _reached(stage, run, folder / name), stage)
        yield runs


def _clean(stage: str) -> tuple[int, ...]:
    """Return the valid exit codes of a run that received a signal at that stage.

    At the start it may have got further than it was when it was looked at; at the end the second signal may come when
    all is closed, and only Python is left to end.
    """
    return (0, *_INTERRUPTED) if stage in ("starting", "closing") else (0,)


@pytest.mark.parametrize("stage", ["starting", "loading", "first frame", "recording", "closing"])
def test_signal_at_any_stage_stops_cleanly(tmp_path: Path, veneer_home: Path, stage: str) -> None:
    with _three(tmp_path, stage) as runs:
        if stage == "recording":
            for run in runs:
                assert call("ctl", "--pid", run.pid, "record", "on").returncode == 0
            until(lambda: len(list((veneer_home / "videos").glob("*.mp4"))) == 3, "three recordings")
        if stage == "closing":
            for run in runs:
                run.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        queue = Queue(run.pid for run in runs)
        patience = Patience(QUICK_S + 1.0, late_s=queue.late_s)  # three programs end at once
        for name, run in zip(SIGNALS, runs, strict=True):
            run.send_signal(getattr(signal, name))
        assert patience.becomes_true(lambda: all(run.poll() is not None for run in runs))
        for name, run in zip(SIGNALS, runs, strict=True):
            _, messages = run.communicate(timeout=HANG_S)
            assert run.returncode in _clean(stage) or stage == "loading", (name, messages)
            lines = messages.splitlines()
            assert 1 <= len(lines) <= 4 and all(line.startswith("veneer: ") for line in lines), (name, messages)
    films = [*tmp_path.rglob("*.mp4"), *(veneer_home / "videos").glob("*.mp4")]
    if stage not in ("starting", "loading"):
        assert len(films) >= 3
    assert all(read_pictures(film)[0] for film in films), "every film plays"
    assert not list(tmp_path.rglob("*.part*"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="v4l2loopback needs Linux")
@pytest.mark.parametrize("name", SIGNALS)
def test_signal_while_idle_stops_cleanly(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real signal and a stand-in for the virtual camera's driver."""
    driver, cameras, messages = FakeLoopback(has_event=True), FakeVirtualCameras(), list[str]()
    monkeypatch.setattr(live.session, "say", messages.append)
    sink = VirtualCameraSink(camera=cameras, lock_dir=tmp_path, loopback=driver.opener)
    driver.write_frame((320, 240))
    options = LiveOptions(source="demo", look="none", size_wh=(320, 240))
    session = Session(options, sinks=[sink], looks={"none": load_looks()["none"]}, ctl=False)
    assert session._viewers is not None
    session._viewers._grace_period_s = 0.1
    ended, in_time = threading.Event(), list[bool]()

    def send() -> None:
        give_up = threading.Timer(HANG_S, session.pipeline.stop)
        give_up.start()
        until(lambda: any("released" in line for line in messages), "idling")
        patience = Patience()
        os.kill(os.getpid(), getattr(signal, name))
        in_time.append(patience.becomes_true(ended.is_set))
        give_up.cancel()

    before = signal.signal(getattr(signal, name), signal.SIG_DFL)  # it may be ignored if the tests run under nohup
    try:
        sending = threading.Thread(target=send, daemon=True)
        sending.start()
        session.run()
        ended.set()
        sending.join(HANG_S)
    finally:
        signal.signal(getattr(signal, name), before)
    assert in_time == [True]
    assert ["released" in line for line in messages] == [True]
    assert session.pipeline.interrupted
    assert (driver.timeout_ms, driver.openers, cameras.opened[0].closed) == (0, {}, True)
    assert np.array_equal(cameras.opened[0].frames[-1], card((320, 240))), "the last picture for readers is the card"


_LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
sys.argv = ["veneer", *sys.argv[1:]]
runpy.run_module("live", run_name="__main__")
"""


@contextlib.contextmanager
def _small_disk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield a disk of 160 kB and the arguments that start a program on it; without mount, files are limited in size."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160k", "none", str(folder)], capture_output=True)
    try:
        yield folder, ["-m", "live"] if mounted.returncode == 0 else ["-c", _LIMITED]
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def _running(how: list[str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*WITH_TESTS, sys.executable, *how, "run", "--source", "demo", "--size", "320x240", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ)) as run:
        try:
            yield run
        finally:
            run.kill()


def test_full_disk_under_a_film_leaves_a_playable_film(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk") as (folder, how):
        with _running(how, "--sink", f"file:{folder / 'film.mp4'}") as run:
            _, messages = run.communicate(timeout=HANG_S)
        assert run.returncode == 2
        (line,) = messages.splitlines()
        assert "no room is left on the disk" in line and "what was recorded until then plays" in line
        assert len(read_pictures(folder / "film.mp4")[0]) > 10


def test_full_disk_ends_only_the_recording(veneer_home: Path) -> None:
    with _small_disk(veneer_home / "videos") as (folder, how), _running(how, "--sink", "null") as run:
        until(lambda: call("ctl", "status").returncode == 0, "the status")
        assert call("ctl", "record", "on").returncode == 0
        assert run.stderr is not None
        ended = next(line for line in run.stderr if "recording ended" in line)
        assert "no room is left on the disk" in ended and "plays" in ended
        assert call("ctl", "status").returncode == 0, "the run continues"
        (film,) = folder.glob("*.mp4")
        assert len(read_pictures(film)[0]) > 10
        assert call("ctl", "quit").returncode == 0
        _, messages = run.communicate(timeout=HANG_S)
        assert run.returncode == 0 and "Traceback" not in messages


def test_full_disk_leaves_no_partial_snapshot(tmp_path: Path) -> None:
    controls, messages = Controls(("none",), look="none"), list[str]()
    noise_bgr = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    with _small_disk(tmp_path / "disk") as (folder, how):
        if how == ["-c", _LIMITED]:
            pytest.skip("no small disk can be mounted here: that wants the rights of root")
        capture = Recorder(controls, say=messages.append, fps=30, pictures_dir=folder, videos_dir=tmp_path)
        controls.apply(Command("snapshot"))
        capture(Frame(noise_bgr, 0, 0.0), controls.read())
        capture.close()
        (line,) = messages
        assert line.startswith("no snapshot: picture") and "no space left on device - choose another place" in line
        assert list(folder.iterdir()) == []
