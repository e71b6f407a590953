"""Creation of the frame source that the user named with --source."""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path

from engines.errors import OptionsError, SourceError
from engines.paths import expanded
from engines.text import nearest_names
from live.sources.base import FrameSource

_FORMS = "give 'demo', a camera number, or the path of a picture or a video"


def open_source(text: str, *, size_wh: tuple[int, int], fps: float, pace: bool) -> FrameSource:
    """Create the source that `text` names, not yet opened.

    Args:
        text: "demo", a camera number or device file ("0", "/dev/video0"), or the path of a picture or a video.
        size_wh, fps: Requested from a camera, and those of the demo; `fps` is also that of a repeated picture.
        pace: True plays files and the demo in real time and repeats a picture without end, False reads frames as fast
            as they are requested, and a picture once.

    Raises:
        OptionsError: The text names a folder or cannot name a source.
        SourceError: The file does not exist or cannot be read.
    """
    if text == "demo":
        from live.sources.demo_source import DemoSource

        return DemoSource(size_wh=size_wh, fps=fps, pace=pace)
    if text.isascii() and text.isdecimal():
        return _camera(int(text), size_wh, fps)
    if not text.strip() or (text[0] == "-" and text[1:].isdecimal()) or "://" in text:
        raise OptionsError(f"source '{text}'", "neither a camera nor a file", _FORMS)
    path = expanded(text)
    try:
        mode = path.stat().st_mode
    except PermissionError:
        raise SourceError(f"source '{text}'", "no permission to read it", "allow this user to read it") from None
    except (OSError, ValueError):
        if text.startswith("/dev/"):
            return _camera(text, size_wh, fps)  # CameraSource explains why a device is missing
        raise SourceError(f"source '{text}'", "there is no such file", _missing_file_remedy(path)) from None
    if stat.S_ISDIR(mode):
        raise OptionsError(f"source '{text}'", "this is a folder", "process a folder with: veneer apply FOLDER OUT")
    if stat.S_ISCHR(mode):
        return _camera(text, size_wh, fps)
    if is_picture(path):
        from live.sources.picture_source import PictureSource

        return PictureSource(path, fps=fps, repeat=pace)
    from live.sources.video_source import VideoSource

    return VideoSource(path, pace=pace)


def film_path(text: str) -> Path | None:
    """Return the path if `text` names a video file; None for a camera, a picture, the demo or a missing file."""
    if text == "demo" or (text.isascii() and text.isdecimal()):
        return None
    with contextlib.suppress(OSError, ValueError, OptionsError):
        path = expanded(text)
        return path if path.is_file() and not is_picture(path) else None
    return None


def is_picture(path: Path) -> bool:
    """Return whether a file is a picture, still or animated, by its content, or by its suffix if that is unknown."""
    from live.picture_files.picture_header import picture_kind
    from live.picture_files.picture_reader import PICTURE_SUFFIXES

    try:
        with path.open("rb") as file:
            start = file.read(32)
    except OSError:
        start = b""
    video = start[4:8] in (b"ftyp", b"moov") or start.startswith(b"\x1aE\xdf\xa3") or start[8:11] == b"AVI"
    return picture_kind(start) is not None or (not video and path.suffix.lower() in PICTURE_SUFFIXES)


def _camera(device: int | str, size_wh: tuple[int, int], fps: float) -> FrameSource:
    from live.sources.camera_source import CameraSource

    return CameraSource(device, size_wh=size_wh, fps=fps)


def _missing_file_remedy(path: Path) -> str:
    """Suggest the most similar file names in the folder."""
    if not path.parent.is_dir():
        return f"there is no folder '{path.parent}' either"
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        names = []
    near = nearest_names(path.name, names, cutoff=0.5)
    return "did you mean " + " or ".join(f"'{path.with_name(name)}'" for name in near) + "?" if near else _FORMS
