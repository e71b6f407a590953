"""Recordings that are started, ended and lost in a hurry: each is kept, or said to be lost."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support.sink_clips import plain_frame, read_pictures

import live.recording.recorder
from engines.errors import SinkError
from live.control.controls import Command, Controls
from live.recording.recorder import Recorder
from live.render.privacy_fallback import card
from live.sinks.video_file import VideoFileSink
from live.sources.still_picture import read_picture

FACE = 100  # the grey of what the camera sees


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a film is whole in 2 s on this machine is not what is asked here."""
    monkeypatch.setattr(live.recording.recorder, "STOP_WITHIN_S", 60.0)


class Desk:
    """A capture, and a hand on its keys."""

    def __init__(self, folder: Path) -> None:
        self.controls, self.said = Controls(("none",), look="none"), list[str]()
        self.pictures, self.videos = folder / "p", folder / "v"
        self.capture = Recorder(
            self.controls, say=self.said.append, fps=30, pictures_dir=self.pictures, videos_dir=self.videos
        )
        self._number = 0

    def press(self, verb: str, argument: str | None = None, frames: int = 1) -> None:
        """Press a key; then so many frames come by, each with the face in it, as the composer makes them."""
        self.controls.apply(Command(verb, argument))
        for _ in range(frames):
            self._number += 1
            self.capture(plain_frame(FACE, captured_s=self._number / 30), self.controls.read())

    def record(self, switch: str, frames: int = 1) -> None:
        self.press("record", switch, frames)

    def heard(self, word: str) -> bool:
        end_s = time.monotonic() + 60
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

    monkeypatch.setattr(live.recording.recorder, "VideoFileSink", Slow)
    monkeypatch.setattr(live.recording.recorder.time, "strftime", lambda form: "veneer-now")
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

    monkeypatch.setattr(live.recording.recorder, "VideoFileSink", Full)
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


def test_while_the_card_is_shown_no_snapshot_shows_what_is_behind_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.press("panic", "on")
    desk.press("snapshot", frames=3)
    assert desk.said == ["no snapshot while the card is shown"], "said at once, and once"
    desk.press("panic", "off", frames=3)
    desk.capture.close()
    assert not desk.pictures.exists(), "it is not made up for behind his back, either"
    desk.press("snapshot")
    desk.capture.close()
    (snapshot,) = desk.pictures.iterdir()
    assert (read_picture(snapshot) == FACE).all(), "afterwards there are snapshots again"


def test_a_snapshot_that_panic_overtakes_is_not_taken(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.press("snapshot", frames=0)
    desk.press("panic", "on")
    desk.capture.close()
    assert not desk.pictures.exists()


def test_while_the_card_is_shown_the_recording_holds_the_card(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.press("panic", "on")
    desk.record("on", frames=3)
    desk.record("off")
    assert desk.heard("recorded")
    desk.capture.close()
    (film,) = desk.videos.iterdir()
    shown = read_pictures(film)[0]
    shown_card = card((64, 48)).astype(int)
    assert np.abs(shown_card - FACE).mean() > 30, "they can be told apart"
    assert shown and all(np.abs(picture - shown_card).mean() < 8 for picture in shown)
