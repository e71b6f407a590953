"""Snapshots and recordings of the output, started and stopped during a run."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engines.errors import SinkError, VeneerError
from engines.text import one_line
from live.control.controls import Command, Controls, ControlState
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame
from live.pipeline.latest_slot import Closed
from live.pipeline.sender import STOP_TIMEOUT_S, Sender, queue_capacity
from live.recording.recording_file import remove_empty, reserve
from live.sinks.video_file import VideoFileSink

_KEPT_SNAPSHOTS = 6  # that the control page lists


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    path: Path
    started_s: float
    sender: Sender
    failed: threading.Event


class Recorder:
    """Called by the pipeline with every output frame; all file access happens in other threads.

    Args:
        controls: Switched off when a recording fails.
        say: Prints one line for the user.
        fps: Frame rate of recordings.
        pictures_dir: Folder of snapshots.
        videos_dir: Folder of recordings.
        lossless: The pipeline waits for the encoder. Otherwise up to a second of frames waits for it.
        stopped: Whether the run ends; called while the pipeline waits.
    """

    def __init__(
        self,
        controls: Controls,
        *,
        say: Callable[[str], None],
        fps: float,
        pictures_dir: Path,
        videos_dir: Path,
        lossless: bool = False,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._controls, self._say, self._fps = controls, say, fps
        self._lossless, self._stopped = lossless, stopped
        self._finished: list[tuple[int, int]] = []  # frames written and missed
        self._pictures_dir, self._videos_dir = pictures_dir, videos_dir
        self._snapshots = controls.read().snapshots
        self._recording: _Recording | None = None
        self._threads: list[threading.Thread] = []
        self._snapshot_paths: deque[Path] = deque(maxlen=_KEPT_SNAPSHOTS)

    def __call__(self, frame: Frame, state: ControlState) -> None:
        """Take a snapshot of the frame or record it, as the controls request."""
        if state.snapshots > self._snapshots:
            self._snapshots = state.snapshots
            if state.panic:
                self._say("no snapshot while the card is shown")
            else:
                self._run_in_thread(self._snapshot, frame)
        if self._recording is not None and (self._recording.failed.is_set() or not state.recording):
            self._end()
        elif state.recording and self._recording is None:
            self._start(frame)
        if self._recording is not None:
            with contextlib.suppress(Closed):  # it has just failed, which was reported; or the run ends
                self._recording.sender.slot.put(frame, stopped=self._stopped)

    def counts(self) -> dict[str, int]:
        """Return the numbers of frames that the finished recordings hold, and that they missed."""
        return {"frames": sum(one[0] for one in self._finished), "dropped": sum(one[1] for one in self._finished)}

    def progress(self) -> dict[str, object]:
        """Return the name of the file that is being recorded, its size in bytes and the elapsed seconds."""
        recording = self._recording
        if recording is None:
            return {"name": "", "bytes": 0, "seconds": 0}
        try:
            written = recording.path.stat().st_size
        except OSError:  # the encoder has not created it yet
            written = 0
        seconds = int(time.monotonic() - recording.started_s)
        return {"name": recording.path.name, "bytes": written, "seconds": seconds}

    def snapshot_names(self) -> list[str]:
        """Return the names of the last snapshots, the newest first."""
        return [path.name for path in reversed(tuple(self._snapshot_paths))]

    def snapshot_path(self, name: str) -> Path | None:
        """Return the file of one of `snapshot_names`."""
        return next((path for path in tuple(self._snapshot_paths) if path.name == name), None)

    def _new_path(self, folder: Path, suffix: str) -> Path:
        """Return the path of a new empty file, named by the time of day; no other run takes the same name."""
        stem = time.strftime("veneer-%Y%m%d-%H%M%S")
        path = reserve(folder / f"{stem}{number}{suffix}" for number in ("", *(f"-{one}" for one in range(2, 10_000))))
        if path is None:
            raise SinkError(f"writing {folder / stem}{suffix}", "all names of this second are taken", "try again")
        return path

    def _snapshot(self, frame: Frame) -> None:
        try:
            self._pictures_dir.mkdir(parents=True, exist_ok=True)
            path = self._new_path(self._pictures_dir, ".png")
            try:
                write_picture(path, frame.bgr, frame.note)
            finally:
                remove_empty(path)
        except Exception as error:  # no error of a snapshot may end the stream
            self._say(f"no snapshot: {one_line(error)}")
        else:
            self._snapshot_paths.append(path)
            self._say(f"snapshot {path}")

    def _start(self, first: Frame) -> None:
        failed = threading.Event()
        try:
            self._videos_dir.mkdir(parents=True, exist_ok=True)
            path = self._new_path(self._videos_dir, ".mp4")
            sender = Sender(
                VideoFileSink(path, reserved=True),
                lossless=self._lossless,
                capacity=1 if self._lossless else queue_capacity(first),
                fps=self._fps,
                controls=self._controls,
                timings=None,
                fail=lambda error: self._fail(error, failed),
            )
        except (VeneerError, OSError) as error:
            self._fail(error, failed)
            return
        self._recording = _Recording(path, time.monotonic(), sender, failed)
        sender.start()
        self._say(f"recording {path}")

    def _fail(self, error: Exception, failed: threading.Event) -> None:
        """End a failed recording; the stream continues."""
        if failed.is_set():
            return
        if self._recording is None or self._recording.failed is failed:  # unless the next recording has started
            self._controls.apply(Command("record", "off"))
        failed.set()
        self._say(f"recording ended: {one_line(error)}")  # last: a new recording may be started on seeing this line

    def _end(self) -> None:
        """Finish the recording in another thread: finalising the file takes time, and the pipeline must not wait."""
        recording, self._recording = self._recording, None
        if recording is not None:
            self._run_in_thread(self._finish, recording)

    def _finish(self, recording: _Recording) -> None:
        recording.sender.finish()
        recording.sender.thread.join(STOP_TIMEOUT_S)
        frames, dropped, path = recording.sender.sent, recording.sender.slot.dropped, recording.path
        self._finished.append((frames, dropped))
        if recording.failed.is_set():
            return
        if recording.sender.thread.is_alive():
            self._say(f"{path} is still being written; the part on the disk is playable")
        elif not path.exists():
            self._say("nothing was recorded" if not frames else f"recording lost: {path} was removed meanwhile")
        else:
            missing = f"; {dropped} are missing: the encoder or the disk was too slow" if dropped else ""
            self._say(f"recorded {frames} frames in {path}{missing}")

    def _run_in_thread(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="recorder", daemon=True)
        thread.start()
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]

    def close(self) -> None:
        """Finish the recording and pending snapshots; waits at most 2 s for them."""
        self._end()
        until_s = time.monotonic() + STOP_TIMEOUT_S
        for thread in self._threads:
            thread.join(max(0.0, until_s - time.monotonic()))
