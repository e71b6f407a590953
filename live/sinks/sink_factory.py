"""Creation of the frame sinks that the user named with --sink."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from engines.errors import OptionsError
from engines.text import nearest_names
from live.sinks.base import FrameSink
from live.sinks.null_sink import NullSink
from live.sinks.preview_meter import MeterText

KINDS = ("virtual-camera", "window", "file", "null")
FORMS = "virtual-camera, virtual-camera:/dev/video10, window, file:PATH or null"
_EXAMPLES = {"file": "file:out.mp4", "virtual-camera": "virtual-camera or virtual-camera:/dev/video10"}


def open_sink(
    text: str, *, on_key: Callable[[str], None], meter: Callable[[], MeterText], film: Path | None = None
) -> FrameSink:
    """Create the sink that `text` names, not yet opened.

    Args:
        text: See `FORMS`.
        on_key: For the window: called with the name of each pressed key.
        meter: For the window: returns the text to draw on the picture.
        film: For a file: the film whose sound and other tracks it keeps.

    Raises:
        OptionsError: There is no such sink; the message suggests the nearest one.
        SinkError: The path cannot be a video file.
    """
    kind, colon, rest = text.strip().partition(":")
    requested = f"--sink {text}"
    if kind not in KINDS:
        raise OptionsError(requested, "there is no such sink", _unknown_kind_remedy(text.strip(), kind))
    if colon and not rest.strip():
        raise OptionsError(requested, "nothing comes after the colon", f"write {_EXAMPLES.get(kind, kind)}")
    if kind == "file":
        if not colon:
            raise OptionsError(requested, "no file is named", f"write {_EXAMPLES[kind]}")
        from live.sinks.video_file import VideoFileSink

        return VideoFileSink(Path(rest.strip()), film=film)
    if kind == "virtual-camera":
        from live.sinks.virtual_camera import VirtualCameraSink

        return VirtualCameraSink(rest.strip() or None)
    if colon:
        raise OptionsError(requested, f"a {kind} has no '{rest}'", f"write {kind}")
    if kind == "null":
        return NullSink()
    from live.sinks.window import WindowSink

    return WindowSink(on_key=on_key, meter=meter)


def _unknown_kind_remedy(text: str, kind: str) -> str:
    if Path(text).suffix.lower() in (".mp4", ".m4v", ".mov", ".mkv"):
        return f"did you mean file:{text}?"
    if text.startswith("/dev/"):
        return f"did you mean virtual-camera:{text}?"
    near = nearest_names(kind, KINDS, count=1, cutoff=0.5)
    return f"did you mean {_EXAMPLES.get(near[0], near[0])}?" if near else f"use {FORMS}"
