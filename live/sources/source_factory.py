"""From what the user wrote after --source to the source that is meant."""

from __future__ import annotations

import difflib
import stat
from pathlib import Path

from engines.errors import OptionsError, SourceError
from engines.paths import expanded
from live.sources.base import FrameSource

_WAYS = "give 'demo', a camera number, or the path of a picture or a video"


def open_source(
    text: str,
    *,
    size_wh: tuple[int, int],
    fps: float,
    pace: bool,
    repeat: bool | None = None,
    frames: int | None = None,
) -> FrameSource:
    """The source that `text` names, made but not opened yet.

    Args:
        text: "demo"; a camera as a number or "/dev/video0"; the path of a picture or a video.
        size_wh: asked of a camera, and the size of the demo; files have their own.
        fps: asked of a camera, the rate of the demo and of a repeated picture.
        pace: True plays files and the demo at their own speed, False as fast as they are taken.
        repeat: whether a picture comes again and again; follows `pace` where not said.
        frames: how many the demo gives; None for no end. Other sources end by themselves.

    Raises:
        OptionsError: a folder, or a text that can be no source.
        SourceError: there is no such file; names those that come near.
    """
    if text == "demo":
        from live.sources.demo_source import DemoSource

        return DemoSource(size_wh=size_wh, fps=fps, pace=pace, frames=frames)
    if text.isascii() and text.isdecimal():
        return _camera(int(text), size_wh, fps)
    if not text.strip() or (text[0] == "-" and text[1:].isdecimal()) or "://" in text:
        raise OptionsError(f"source '{text}'", "neither a camera nor a file", _WAYS)
    path = expanded(text)
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise SourceError(f"source '{text}'", "no permission to read it", "allow this user to read it") from None
    except (OSError, ValueError):
        if text.startswith("/dev/"):
            return _camera(text, size_wh, fps)  # it knows best why a device is not there
        raise SourceError(f"source '{text}'", "there is no such file", _near(path)) from None
    if stat.S_ISDIR(mode):
        raise OptionsError(
            f"source '{text}'", "this is a folder", "work through a folder with: veneer apply FOLDER OUT"
        )
    if stat.S_ISCHR(mode):
        return _camera(text, size_wh, fps)
    if is_picture(path):
        from live.sources.still_picture import StillSource

        return StillSource(path, fps=fps, repeat=pace if repeat is None else repeat)
    from live.sources.video_source import VideoSource

    return VideoSource(path, pace=pace)


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture, by what is in it; by its name where that cannot be told."""
    from live.sources.still_picture import PICTURE_SUFFIXES

    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        start = b""
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")) or start[8:12] == b"WEBP":
        return True
    video = start[4:8] in (b"ftyp", b"moov") or start.startswith((b"\x1aE\xdf\xa3", b"GIF8")) or start[8:11] == b"AVI"
    return not video and path.suffix.lower() in PICTURE_SUFFIXES


def _camera(device: int | str, size_wh: tuple[int, int], fps: float) -> FrameSource:
    from live.sources.camera_source import CameraSource

    return CameraSource(device, size_wh=size_wh, fps=fps)


def _near(path: Path) -> str:
    """What to do about a missing file: the names in its folder that are most like it."""
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}' either"
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    return "did you mean " + " or ".join(f"'{path.with_name(name)}'" for name in near) + "?" if near else _WAYS
