"""Snapshots and recordings of what goes out, started and stopped while running."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import VeneerError
from engines.text import one_line
from live.control.controls import Command, Controls, ControlState
from live.pipeline.frame import Frame
from live.pipeline.latest_slot import Closed
from live.pipeline.sender import STOP_TIMEOUT_S, Sender
from live.sinks.video_file import VideoFileSink
from live.sources.still_picture import write_picture


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    path: Path
    sender: Sender
    broken: threading.Event


class Capture:
    """Called in the loop with every finished frame; all file work happens in other threads.

    Args:
        controls: told when a recording had to end.
        say: takes one line for the person at the terminal.
        fps: of recordings.
        pictures_dir: where snapshots go.
        videos_dir: where recordings go.
    """

    def __init__(
        self, controls: Controls, *, say: Callable[[str], None], fps: float, pictures_dir: Path, videos_dir: Path
    ) -> None:
        self._controls, self._say, self._fps = controls, say, fps
        self._pictures_dir, self._videos_dir = pictures_dir, videos_dir
        self._snapshots = controls.read().snapshots
        self._recording: _Recording | None = None
        self._given: set[Path] = set()  # names that are taken, though their files may not be there yet
        self._working: list[threading.Thread] = []
        self._one_at_a_time = threading.Lock()

    def __call__(self, frame: Frame, state: ControlState) -> None:
        """Take what the controls ask for from this frame."""
        if state.snapshots > self._snapshots:
            self._snapshots = state.snapshots
            if state.panic:
                self._say("no snapshot while the card is shown")
            else:
                self._aside(self._snapshot, frame)
        if self._recording is not None and (self._recording.broken.is_set() or not state.recording):
            self._end()
        elif state.recording and self._recording is None:
            self._start()
        if self._recording is not None:
            with contextlib.suppress(Closed):  # it failed a moment ago, and said so
                self._recording.sender.slot.put(frame)

    def _new_name(self, folder: Path, suffix: str) -> Path:
        """A name by the time of day that no file has yet, and none will have that is about to be written."""
        stem = time.strftime("veneer-%Y%m%d-%H%M%S")
        path, number = folder / f"{stem}{suffix}", 1
        while path.exists() or path in self._given:
            number += 1
            path = folder / f"{stem}-{number}{suffix}"
        self._given.add(path)
        return path

    def _snapshot(self, frame: Frame) -> None:
        try:
            with self._one_at_a_time:  # several in one second each get a name of their own
                self._pictures_dir.mkdir(parents=True, exist_ok=True)
                path = self._new_name(self._pictures_dir, ".png")
                write_picture(path, frame.bgr)
        except Exception as error:  # whatever it is, the stream goes on
            self._say(f"no snapshot: {one_line(error)}")
        else:
            self._say(f"snapshot {path}")

    def _start(self) -> None:
        broken = threading.Event()
        try:
            self._videos_dir.mkdir(parents=True, exist_ok=True)
            path = self._new_name(self._videos_dir, ".mp4")
            sender = Sender(
                VideoFileSink(path),
                lossless=False,
                fps=self._fps,
                controls=self._controls,
                timings=None,
                fail=lambda error: self._failed(error, broken),
            )
        except (VeneerError, OSError) as error:
            self._failed(error, broken)
            return
        self._recording = _Recording(path, sender, broken)
        sender.start()
        self._say(f"recording {path}")

    def _failed(self, error: Exception, broken: threading.Event) -> None:
        """A recording that fails ends alone: the stream goes on."""
        if broken.is_set():
            return
        if self._recording is None or self._recording.broken is broken:  # not while the next one runs already
            self._controls.apply(Command("record", "off"))
        broken.set()
        self._say(f"recording ended: {one_line(error)}")  # last: who hears it may start the next one at once

    def _end(self) -> None:
        """Finish a recording aside: making the file whole may take a moment, and the loop must go on."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._aside(self._finish, recording)

    def _finish(self, recording: _Recording) -> None:
        recording.sender.finish()
        recording.sender.thread.join(STOP_TIMEOUT_S)
        frames, path = recording.sender.sent, recording.path
        if recording.broken.is_set():
            return
        if recording.sender.thread.is_alive():
            self._say(f"{path} is still being written; what is on the disk plays")
        elif not path.exists():
            self._say("nothing was recorded" if not frames else f"recording lost: {path} was removed meanwhile")
        else:
            self._say(f"recorded {frames} frames in {path}")

    def _aside(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="capture", daemon=True)
        thread.start()
        self._working = [other for other in self._working if other.is_alive()] + [thread]

    def close(self) -> None:
        """Finish what is being recorded or saved; waits at most 2 s for it."""
        self._end()
        until_s = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._working:
            thread.join(max(0.0, until_s - time.monotonic()))
