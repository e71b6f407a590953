"""Snapshots and recordings of what goes out, started and stopped while running."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from engines.errors import VeneerError
from live.controls import Command, Controls, ControlState
from live.frame import Frame
from live.sender import Sender
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

    def __call__(self, frame: Frame, state: ControlState) -> None:
        """Take what the controls ask for from this frame."""
        if state.snapshots > self._snapshots:
            self._snapshots = state.snapshots
            threading.Thread(target=self._snapshot, args=(frame,), name="snapshot", daemon=True).start()
        if state.recording and self._recording is None:
            self._start()
        elif not state.recording and self._recording is not None:
            self.close()
        if self._recording is not None:
            self._recording.slot.put(frame)

    def _snapshot(self, frame: Frame) -> None:
        path = _new_name(self._pictures_dir, ".png")
        try:
            self._pictures_dir.mkdir(parents=True, exist_ok=True)
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
        self._path = _new_name(self._videos_dir, ".mp4")
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
        self._say(f"recording ended: {error}")
        self._controls.apply(Command("record", "off"))

    def close(self) -> None:
        """Finish a recording; waits up to 1.5 s for the file to be whole."""
        recording, self._recording = self._recording, None
        if recording is not None:
            recording.finish()
            recording.thread.join(1.5)
            self._say(f"recorded {recording.sent} frames in {self._path}")
