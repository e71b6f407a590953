"""open_sink: every kind of --sink, and suggestions for unknown ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engines.errors import OptionsError, SinkError
from live.pipeline.frame import Frame
from live.sinks.base import FrameSink
from live.sinks.null_sink import NullSink
from live.sinks.preview_meter import MeterText
from live.sinks.sink_factory import open_sink
from live.sinks.video_file import VideoFileSink
from live.sinks.virtual_camera import VirtualCameraSink
from live.sinks.window import WindowSink


def _open(text: str, film: Path | None = None) -> FrameSink:
    return open_sink(text, on_key=lambda _: None, meter=lambda: MeterText(()), film=film)


def test_every_sink_kind(tmp_path: Path) -> None:
    kinds = {
        "virtual-camera": VirtualCameraSink,
        "virtual-camera:/dev/video10": VirtualCameraSink,
        "virtual-camera:OBS Virtual Camera": VirtualCameraSink,
        "window": WindowSink,
        f"file:{tmp_path}/out.mp4": VideoFileSink,
        "null": NullSink,
    }
    for text, kind in kinds.items():
        sink = _open(text)
        assert isinstance(sink, kind)
        assert sink.name == text
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_sink_properties_main_thread_and_live(tmp_path: Path) -> None:
    sinks = [_open(text) for text in ("virtual-camera", "window", f"file:{tmp_path}/out.mp4", "null")]
    assert [sink.main_thread for sink in sinks] == [False, True, False, False]
    assert [sink.live for sink in sinks] == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "do"),
    [
        ("virtual-cam", "did you mean virtual-camera"),
        ("virtual_camera", "did you mean virtual-camera"),
        ("windows", "did you mean window?"),
        ("nul", "did you mean null?"),
        ("fiel:out.mp4", "did you mean"),
        ("out.mp4", "did you mean file:out.mp4?"),
        ("/dev/video10", "did you mean virtual-camera:/dev/video10?"),
        ("toaster", "use virtual-camera, virtual-camera:/dev/video10, window, file:PATH or null"),
        ("", "use virtual-camera"),
        ("file", "write file:out.mp4"),
        ("file:", "write file:out.mp4"),
        ("virtual-camera:", "write virtual-camera or virtual-camera:/dev/video10"),
        ("window:large", "write window"),
        ("null:1", "write null"),
    ],
)
def test_unknown_sink_suggests_the_nearest(text: str, do: str) -> None:
    with pytest.raises(OptionsError) as caught:
        _open(text)
    assert do in caught.value.do
    assert caught.value.asked == f"--sink {text}"
    assert "\n" not in str(caught.value)


def test_unwritable_file_is_reported_at_creation(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="does not exist"):
        _open(f"file:{tmp_path}/gone/out.mp4")


def test_path_may_contain_colon_and_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    sink = _open("file:~/take 1.mp4")
    assert isinstance(sink, VideoFileSink)
    assert sink.growing_path == tmp_path / "take 1.mp4"
    assert _open(f"file:{tmp_path}/12:30.mp4").name == f"file:{tmp_path}/12:30.mp4"


def test_null_sink_counts_frames(tmp_path: Path) -> None:
    sink = NullSink()
    sink.open(size_wh=(64, 48), fps=30)
    for number in range(3):
        sink.send(Frame(np.zeros((48, 64, 3), np.uint8), number, 0.0))
    sink.close()
    assert sink.frames == 3
