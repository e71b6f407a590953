"""Small videos and pictures, and the `veneer` command without a screen."""

from __future__ import annotations

import os
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
from support import cli_parts
from support.root import ROOT
from support.sink_clips import plain_frame

from live.sinks.video_file import VideoFileSink

NO_SCREEN = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a process of its own, without a screen."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **NO_SCREEN, **more}


def veneer(*arguments: object, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `veneer ARGUMENTS` in this process."""
    return cli_parts.call(*arguments, cwd=cwd, env=NO_SCREEN | env)


def started(*arguments: object) -> AbstractContextManager[subprocess.Popen[str]]:
    """Start `veneer ARGUMENTS` in a process of its own; it is killed at the end of the block."""
    return cli_parts.started(*arguments, env=environment())


def film(path: Path, frames: int, *, size_wh: tuple[int, int] = (64, 48)) -> Path:
    """Write a video of grey frames."""
    sink = VideoFileSink(path)
    sink.open(size_wh=size_wh, fps=30)
    for index in range(frames):
        sink.send(plain_frame(index % 250, pts_s=index / 30, size_wh=size_wh))
    sink.close()
    return path


def avi(path: Path, frames: int) -> Path:
    """Write a video in a format that is only read."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), 200, np.uint8))
    writer.release()
    return path


def files(folder: Path) -> list[str]:
    """Return the relative paths of all files below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command failed with one line of output, and return it."""
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line
