"""The `ffmpeg` and `ffprobe` programs: they make test films, and read results as a second reader."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest


def ffmpeg(*arguments: object) -> None:
    """Run `ffmpeg`; the test is skipped where it is not installed."""
    _run("ffmpeg", "-nostdin", "-y", *arguments)


def probe(path: Path, *options: str) -> dict[str, Any]:
    """Return what `ffprobe` says of a file, for options such as -show_streams."""
    found: dict[str, Any] = json.loads(_run("ffprobe", *options, "-of", "json", path))
    return found


def video_stream(path: Path) -> dict[str, Any]:
    """Return what `ffprobe` says of the first video stream."""
    stream: dict[str, Any] = probe(path, "-select_streams", "v:0", "-show_streams")["streams"][0]
    return stream


def _run(program: str, *arguments: object) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} (package ffmpeg) is not installed")
    command = [program, "-v", "error", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout
