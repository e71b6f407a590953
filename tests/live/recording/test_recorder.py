"""Recorder: quick succession of recordings, failures, snapshots and panic."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fakes import FakeTracker
from support.pipeline_parts import pipeline
from support.sink_clips import plain_frame, read_pictures

import live.recording.recorder
from engines.errors import SinkError
from engines.looks_file import load_looks
from live.control.controls import Command, Controls, ControlState
from live.picture_files.picture_reader import read_picture
from live.pipeline.frame import Face, Frame
from live.recording.recorder import Recorder
from live.render.privacy_fallback import card
from live.sinks.null_sink import NullSink
from live.sinks.video_file import VideoFileSink
from live.sources.demo_source import DemoSource

FACE = 100  # grey level of the camera's frames


@pytest.fixture(autouse=True)
def long_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a slow test machine more than 2 s to finish a recording."""
    monkeypatch.setattr(live.recording.recorder, "STOP_TIMEOUT_S", 60.0)


class Setup:
    """A recorder, its controls, and a source of frames."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self.controls, self.lines = Controls(("none",), look="none"), list[str]()
        self.pictures, self.videos = folder / "p", folder / "v"
        self.recorder = Recorder(
            self.controls, say=self.lines.append, fps=30, pictures_dir=self.pictures, videos_dir=self.videos, **more
        )
        self._number = 0

    def command(self, verb: str, argument: str | None = None, frames: int = 1) -> None:
        """Apply a command; then pass frames to the recorder."""
        self.controls.apply(Command(verb, argument))
        for _ in range(frames):
            self._number += 1
            self.recorder(plain_frame(FACE, captured_s=self._number / 30), self.controls.read())

    def record(self, switch: str, frames: int = 1) -> None:
        self.command("record", switch, frames)

    def wait_for(self, text: str) -> bool:
        end_s = time.monotonic() + 60
        while not any(text in line for line in self.lines) and time.monotonic() < end_s:
            time.sleep(0.005)
        return any(text in line for line in self.lines)


@pytest.fixture
def encoder_ready(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Delay the opening of every encoder until this event is set."""
    ready = threading.Event()

    class Slow(VideoFileSink):
        def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
            assert ready.wait(60)
            super().open(size_wh=size_wh, fps=fps)

    monkeypatch.setattr(live.recording.recorder, "VideoFileSink", Slow)
    return ready


@pytest.mark.parametrize("frames", [25, 60])
def test_recording_waits_a_second_and_counts_losses(
    tmp_path: Path, encoder_ready: threading.Event, frames: int
) -> None:
    setup = Setup(tmp_path)
    setup.record("on", frames)
    encoder_ready.set()
    setup.record("off")
    assert setup.wait_for("recorded ")
    setup.recorder.close()
    (film,) = setup.videos.iterdir()
    counts, (times_s) = setup.recorder.counts(), read_pictures(film)[1]
    assert counts["frames"] == len(times_s) and counts["frames"] + counts["dropped"] == frames
    if frames == 25:
        assert counts["dropped"] == 0 and "missing" not in setup.lines[-1]
        assert np.allclose(times_s, np.arange(25) / 30, atol=1e-3)
    else:
        assert counts["frames"] in (30, 31) and f"; {counts['dropped']} are missing" in setup.lines[-1]


def test_recording_at_full_speed_is_complete(tmp_path: Path, encoder_ready: threading.Event) -> None:
    setup = Setup(tmp_path, lossless=True)
    threading.Timer(0.2, encoder_ready.set).start()
    setup.record("on", frames=60)
    setup.record("off")
    assert setup.wait_for("recorded 60 frames")
    setup.recorder.close()
    assert setup.recorder.counts() == {"frames": 60, "dropped": 0}


def test_recording_on_a_slow_machine_keeps_the_capture_times(tmp_path: Path) -> None:
    """The camera is read less often than it could send: the recording lasts as long as the scene did."""
    captured_s: list[float] = []

    def slow(_: Frame) -> tuple[Face, ...]:
        time.sleep(0.07)
        return ()

    def on_frame(frame: Frame, state: ControlState) -> None:
        recorder(frame, state)
        captured_s.append(frame.captured_s)

    source = DemoSource(size_wh=(160, 120), fps=30, pace=True)
    looks = {"none": load_looks()["none"]}
    run = pipeline(source, [NullSink()], tracker=FakeTracker(slow), looks=looks, frames=12, on_frame=on_frame)
    run.parts.controls.apply(Command("record", "on"))
    folders = {"pictures_dir": tmp_path / "p", "videos_dir": tmp_path / "v"}
    recorder = Recorder(run.parts.controls, say=lambda _: None, fps=30, **folders)
    run.run()
    recorder.close()
    (film,) = (tmp_path / "v").iterdir()
    _, times_s = read_pictures(film)
    assert np.allclose(times_s, np.array(captured_s) - captured_s[0], rtol=0, atol=1 / 90_000)


def test_two_recordings_within_a_second_are_both_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is named before the file of the first exists."""
    both = threading.Event()

    class Slow(VideoFileSink):
        def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
            assert both.wait(20)
            super().open(size_wh=size_wh, fps=fps)

    monkeypatch.setattr(live.recording.recorder, "VideoFileSink", Slow)
    monkeypatch.setattr(live.recording.recorder.time, "strftime", lambda form: "veneer-now")
    setup = Setup(tmp_path)
    for switch in ("on", "off", "on"):
        setup.record(switch)
    both.set()
    assert setup.wait_for("recorded 1 frames")
    setup.record("off")
    setup.recorder.close()
    films = sorted(setup.videos.iterdir())
    assert [film.name for film in films] == ["veneer-now-2.mp4", "veneer-now.mp4"]
    assert all(len(read_pictures(film)[0]) == 1 for film in films)


def test_two_programs_in_one_second_keep_both_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.recording.recorder.time, "strftime", lambda form: "veneer-now")
    one, other = Setup(tmp_path), Setup(tmp_path)
    for switch, frames in (("on", 3), ("off", 1)):
        one.record(switch, frames)
        other.record(switch, frames)
    for setup in (one, other):
        assert setup.wait_for("recorded 3 frames")
        setup.command("snapshot")
        setup.recorder.close()
    assert sorted(len(read_pictures(film)[0]) for film in (tmp_path / "v").iterdir()) == [3, 3]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["veneer-now-2.png", "veneer-now.png"]


def test_recording_works_after_a_failed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [True]

    class Full(VideoFileSink):
        def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
            if fails.pop() if fails else False:
                raise SinkError("writing", "no room is left on the disk", "free some")
            super().open(size_wh=size_wh, fps=fps)

    monkeypatch.setattr(live.recording.recorder, "VideoFileSink", Full)
    setup = Setup(tmp_path)
    setup.record("on")
    assert setup.wait_for("recording ended: writing: no room is left on the disk - free some")
    assert not setup.controls.read().recording
    setup.record("on", frames=3)  # before the recorder has noticed the failure
    setup.record("off")
    assert setup.wait_for("recorded")
    setup.recorder.close()
    (film,) = setup.videos.iterdir()
    assert read_pictures(film)[0]


def test_unwritable_folder_ends_only_the_recording(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.videos.write_text("a file")
    setup.record("on")
    assert setup.wait_for("recording ended") and not setup.controls.read().recording
    setup.recorder.close()


def test_removed_recording_is_reported_as_lost(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.record("on", frames=2)
    assert setup.wait_for("recording ")
    (film,) = setup.videos.iterdir()
    end_s = time.monotonic() + 60
    while not film.stat().st_size and time.monotonic() < end_s:
        setup.record("on")
        time.sleep(0.005)
    film.unlink()
    setup.record("off")
    assert setup.wait_for("recording lost")
    setup.recorder.close()


def test_no_snapshot_while_the_card_is_shown(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.command("panic", "on")
    setup.command("snapshot", frames=3)
    assert setup.lines == ["no snapshot while the card is shown"], "reported once"
    setup.command("panic", "off", frames=3)
    setup.recorder.close()
    assert not setup.pictures.exists(), "the snapshot is not taken later"
    setup.command("snapshot")
    setup.recorder.close()
    (snapshot,) = setup.pictures.iterdir()
    assert (read_picture(snapshot) == FACE).all(), "snapshots work again afterwards"


def test_panic_cancels_a_pending_snapshot(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.command("snapshot", frames=0)
    setup.command("panic", "on")
    setup.recorder.close()
    assert not setup.pictures.exists()


def test_recording_contains_the_card_while_it_is_shown(tmp_path: Path) -> None:
    setup = Setup(tmp_path)
    setup.command("panic", "on")
    setup.record("on", frames=3)
    setup.record("off")
    assert setup.wait_for("recorded")
    setup.recorder.close()
    (film,) = setup.videos.iterdir()
    shown = read_pictures(film)[0]
    shown_card = card((64, 48)).astype(int)
    assert np.abs(shown_card - FACE).mean() > 30, "card and frame differ"
    assert shown and all(np.abs(picture - shown_card).mean() < 8 for picture in shown)
