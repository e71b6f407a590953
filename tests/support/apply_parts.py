"""Small films and pictures, and `veneer` on them in a process of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from support.sink_clips import plain_frame

from live.sinks.video_file import VideoFileSink

HANG_S = 120
ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "DISPLAY": "", "WAYLAND_DISPLAY": "", **more}


def veneer(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "live", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, cwd=cwd, env=environment(**env))


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "live", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as run:
        try:
            yield run
        finally:
            run.kill()


def until(found: Callable[[], object], what: str) -> None:
    give_up_s = time.monotonic() + HANG_S
    while not found():
        assert time.monotonic() < give_up_s, f"never came: {what}"
        time.sleep(0.02)


def film(path: Path, frames: int, *, size_wh: tuple[int, int] = (64, 48)) -> Path:
    sink = VideoFileSink(path)
    sink.open(size_wh=size_wh, fps=30)
    for index in range(frames):
        sink.send(plain_frame(index % 250, pts_s=index / 30, size_wh=size_wh))
    sink.close()
    return path


def avi(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), 200, np.uint8))
    writer.release()
    return path


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line
