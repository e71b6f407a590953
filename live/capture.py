"""Snapshots and recordings of what goes out, started and stopped while running."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from engines.errors import VeneerError
from live.controls import Command, Controls, ControlState
from live.frame import Frame
from live.latest import Closed
from live.sender import STOP_WITHIN_S, Sender
from live.sinks.video_file import VideoFileSink
from live.sources.still import write_picture


def _new_name(folder: Path, suffix: str) -> Path:
    """A name by the time of day that no file has yet."""
    stem = time.strftime("veneer-%Y%m%d-%H%M%S")
    path, number = folder / f"{stem}{suffix}", 1
    while path.exists():
        number += 1
        path = folder / f"{stem}-{number}{suffix}"
    return path


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
        self._recording: Sender | None = None
        self._path = Path()
        self._broken = False
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
        if state.recording and self._recording is None:
            self._start()
        elif not state.recording and self._recording is not None:
            self._end()
        if self._recording is not None:
            with contextlib.suppress(Closed):  # it failed a moment ago, and said so
                self._recording.slot.put(frame)

    def _snapshot(self, frame: Frame) -> None:
        try:
            with self._one_at_a_time:  # several in one second each get a name of their own
                self._pictures_dir.mkdir(parents=True, exist_ok=True)
                path = _new_name(self._pictures_dir, ".png")
                write_picture(path, frame.bgr)
        except (VeneerError, OSError) as error:
            self._say(f"no snapshot: {error}")
        else:
            self._say(f"snapshot {path}")

    def _start(self) -> None:
        try:
            self._videos_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._failed(error)
            return
        self._path, self._broken = _new_name(self._videos_dir, ".mp4"), False
        self._recording = Sender(
            VideoFileSink(self._path),
            lossless=False,
            fps=self._fps,
            controls=self._controls,
            timings=None,
            fail=self._failed,
        )
        self._recording.start()
        self._say(f"recording {self._path}")

    def _failed(self, error: Exception) -> None:
        """A recording that fails ends alone: the stream goes on."""
        self._broken = True
        self._say(f"recording ended: {error}")
        self._controls.apply(Command("record", "off"))

    def _end(self) -> None:
        """Finish a recording aside: making the file whole may take a moment, and the loop must go on."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._aside(self._finish, recording, self._path)

    def _finish(self, recording: Sender, path: Path) -> None:
        recording.finish()
        recording.thread.join(STOP_WITHIN_S)
        if not self._broken:
            self._say(f"recorded {recording.sent} frames in {path}")

    def _aside(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="capture", daemon=True)
        thread.start()
        self._working = [other for other in self._working if other.is_alive()] + [thread]

    def close(self) -> None:
        """Finish what is being recorded or saved; waits at most 2 s for it."""
        self._end()
        until_s = time.monotonic() + STOP_WITHIN_S
        for thread in self._working:
            thread.join(max(0.0, until_s - time.monotonic()))
