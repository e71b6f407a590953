"""Recordings that are started, ended and lost in a hurry: each is kept, or said to be lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sink_clips import plain_frame, read_pictures

import live.capture
from engines.errors import SinkError
from live.capture import Capture
from live.controls import Command, Controls
from live.sinks.video_file import VideoFileSink


class Desk:
    """A capture, and a hand on its keys."""

    def __init__(self, folder: Path) -> None:
        self.controls, self.said = Controls(("none",), look="none"), list[str]()
        self.videos = folder / "v"
        self.capture = Capture(
            self.controls, say=self.said.append, fps=30, pictures_dir=folder / "p", videos_dir=self.videos
        )
        self._number = 0

    def record(self, switch: str, frames: int = 1) -> None:
        self.controls.apply(Command("record", switch))
        for _ in range(frames):
            self._number += 1
            self.capture(plain_frame(100, captured_s=self._number / 30), self.controls.read())

    def heard(self, word: str) -> bool:
        end_s = time.monotonic() + 20
        while not any(word in line for line in self.said) and time.monotonic() < end_s:
            time.sleep(0.005)
        return any(word in line for line in self.said)


def test_two_recordings_of_one_second_are_both_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one is named while the file of the first is not there yet."""
    both = threading.Event()

    class Slow(VideoFileSink):
        def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
            assert both.wait(20)
            super().open(size_wh=size_wh, fps=fps)

    monkeypatch.setattr(live.capture, "VideoFileSink", Slow)
    monkeypatch.setattr(live.capture.time, "strftime", lambda form: "veneer-now")
    desk = Desk(tmp_path)
    for switch in ("on", "off", "on"):
        desk.record(switch)
    both.set()
    assert desk.heard("recorded 1 frames")
    desk.record("off")
    desk.capture.close()
    films = sorted(desk.videos.iterdir())
    assert [film.name for film in films] == ["veneer-now-2.mp4", "veneer-now.mp4"]
    assert all(len(read_pictures(film)[0]) == 1 for film in films)


def test_after_a_recording_that_failed_the_next_one_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fails = [True]

    class Full(VideoFileSink):
        def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
            if fails.pop() if fails else False:
                raise SinkError("writing", "no room is left on the disk", "free some")
            super().open(size_wh=size_wh, fps=fps)

    monkeypatch.setattr(live.capture, "VideoFileSink", Full)
    desk = Desk(tmp_path)
    desk.record("on")
    assert desk.heard("recording ended: writing: no room is left on the disk - free some")
    assert not desk.controls.read().recording
    desk.record("on", frames=3)  # at once, before the loop has seen that the first one is over
    desk.record("off")
    assert desk.heard("recorded")
    desk.capture.close()
    (film,) = desk.videos.iterdir()
    assert read_pictures(film)[0]


def test_a_folder_that_cannot_be_written_ends_the_recording_alone(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.videos.write_text("in the way")
    desk.record("on")
    assert desk.heard("recording ended") and not desk.controls.read().recording
    desk.capture.close()


def test_a_recording_that_was_removed_is_said_to_be_lost(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.record("on", frames=2)
    assert desk.heard("recording ")
    end_s = time.monotonic() + 20
    while not (films := list(desk.videos.iterdir())) and time.monotonic() < end_s:
        time.sleep(0.005)
    films[0].unlink()
    desk.record("off")
    assert desk.heard("recording lost")
    desk.capture.close()
