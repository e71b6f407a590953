"""From the words after --sink to a sink."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path

from engines.errors import OptionsError
from live.sinks.base import FrameSink
from live.sinks.null_sink import NullSink
from live.sinks.preview_meter import MeterText

KINDS = ("virtual-camera", "window", "file", "null")
FORMS = "virtual-camera, virtual-camera:/dev/video10, window, file:PATH or null"


def open_sink(
    text: str, *, on_key: Callable[[str], None], meter: Callable[[], MeterText], audio_from: Path | None = None
) -> FrameSink:
    """Construct the sink that the text names; it is not yet opened.

    Args:
        text: "virtual-camera", "virtual-camera:DEVICE", "window", "file:PATH" or "null".
        on_key: for the window: called with each key's name.
        meter: for the window: asked for what to write on the picture.
        audio_from: for a file: where its sound comes from.

    Raises:
        OptionsError: no such sink; names the nearest one.
        SinkError: a file that cannot be written, by its name alone.
    """
    kind, colon, rest = text.strip().partition(":")
    asked = f"--sink {text}"
    if kind not in KINDS:
        raise OptionsError(asked, "there is no such sink", _nearest(text.strip(), kind))
    if colon and not rest.strip():
        raise OptionsError(asked, "nothing comes after the colon", f"write {_example(kind)}")
    if kind == "file":
        if not colon:
            raise OptionsError(asked, "no file is named", f"write {_example(kind)}")
        from live.sinks.video_file import VideoFileSink

        return VideoFileSink(Path(rest.strip()), audio_from=audio_from)
    if kind == "virtual-camera":
        from live.sinks.virtual_camera import VirtualCameraSink

        return VirtualCameraSink(rest.strip() or None)
    if colon:
        raise OptionsError(asked, f"a {kind} has no '{rest}'", f"write {kind}")
    if kind == "null":
        return NullSink()
    from live.sinks.window import WindowSink

    return WindowSink(on_key=on_key, meter=meter)


def _example(kind: str) -> str:
    return {"file": "file:out.mp4", "virtual-camera": "virtual-camera or virtual-camera:/dev/video10"}.get(kind, kind)


def _nearest(text: str, kind: str) -> str:
    """The remedy for a wrong name: what was most likely meant, or all there is."""
    if Path(text).suffix.lower() in (".mp4", ".m4v", ".mov", ".mkv"):
        return f"did you mean file:{text}?"
    if text.startswith("/dev/"):
        return f"did you mean virtual-camera:{text}?"
    near = difflib.get_close_matches(kind.lower().replace("_", "-"), KINDS, n=1, cutoff=0.5)
    return f"did you mean {_example(near[0])}?" if near else f"use {FORMS}"
