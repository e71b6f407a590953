"""open_source: every kind of --source, and suggestions for unknown ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from engines.errors import OptionsError, SourceError
from live.sources.base import FrameSource
from live.sources.camera_source import CameraSource
from live.sources.demo_source import DemoSource
from live.sources.picture_source import PictureSource
from live.sources.source_factory import is_picture, open_source
from live.sources.video_source import VideoSource


def opened(text: str | Path, **more: Any) -> FrameSource:
    options: dict[str, Any] = {"size_wh": (320, 180), "fps": 25.0, "pace": False}
    return open_source(str(text), **(options | more))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture = np.full((16, 32, 3), 90, np.uint8)
    for name in ("face.png", "face.jpg", "face.webp", "face.tiff", "face.bmp"):
        assert cv2.imwrite(str(tmp_path / name), picture)
    for name in ("clip.mp4", "clip.mkv", "clip.avi"):
        with av.open(str(tmp_path / name), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
            for _ in range(3):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode(None))
    return tmp_path


def test_demo_source() -> None:
    source = opened("demo", fps=10.0)
    assert isinstance(source, DemoSource) and not source.live
    info = source.open()
    assert (info.size_wh, info.fps) == ((320, 180), 10.0)
    source.close()
    assert opened("demo", pace=True).live


def test_camera_source() -> None:
    assert isinstance(opened("0"), CameraSource)
    assert isinstance(opened("12"), CameraSource)
    assert isinstance(opened("/dev/video0"), CameraSource)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="device files are read on Linux only")
def test_missing_camera_device_is_reported_on_open() -> None:
    source = opened("/dev/video987")
    with pytest.raises(SourceError, match="/dev/video987"):
        source.open()


@pytest.mark.parametrize("name", ["face.png", "face.jpg", "face.webp", "face.tiff", "face.bmp"])
def test_picture_source(folder: Path, name: str) -> None:
    source = opened(folder / name)
    assert isinstance(source, PictureSource) and not source.live
    assert source.open().size_wh == (32, 16)
    assert opened(folder / name, pace=True).live, "shown live, a picture is repeated"


@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
def test_video_source(folder: Path, name: str) -> None:
    source = opened(folder / name)
    assert isinstance(source, VideoSource)
    assert source.open().size_wh == (32, 16)
    source.close()


def test_file_type_is_determined_by_content(folder: Path) -> None:
    (folder / "face.png").rename(folder / "really a face.mp4")
    (folder / "clip.mp4").rename(folder / "really a clip.png")
    (folder / "clip.mkv").rename(folder / "no suffix")
    assert isinstance(opened(folder / "really a face.mp4"), PictureSource)
    assert isinstance(opened(folder / "really a clip.png"), VideoSource)
    assert isinstance(opened(folder / "no suffix"), VideoSource)
    assert opened(folder / "no suffix").open().size_wh == (32, 16)
    assert not is_picture(folder / "missing.mp4")


@pytest.mark.parametrize("name", ["text.png", "text.mp4", "text"])
def test_text_file_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("dear diary\n" * 20)
    with pytest.raises(SourceError, match=f"{name}'"):
        opened(tmp_path / name).open()


def test_missing_file_suggests_similar_names(folder: Path) -> None:
    with pytest.raises(SourceError) as caught:
        opened(folder / "clip1.mp4")
    assert "no such file" in caught.value.got
    assert str(folder / "clip.mp4") in caught.value.do
    with pytest.raises(SourceError, match="'demo'"):
        opened(folder / "nothing of the kind whatsoever.xyz")
    with pytest.raises(SourceError, match="no folder"):
        opened(folder / "nowhere" / "clip.mp4")


def test_folder_as_source_suggests_apply(folder: Path) -> None:
    with pytest.raises(OptionsError, match="veneer apply"):
        opened(folder)


@pytest.mark.parametrize("text", ["", "  ", "-1", "http://example.org/live.m3u8"])
def test_invalid_source_names(text: str) -> None:
    with pytest.raises(OptionsError, match="neither a camera nor a file") as caught:
        opened(text)
    assert "demo" in caught.value.do


def test_tilde_in_path_is_expanded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME" if sys.platform != "win32" else "USERPROFILE", str(folder))
    assert isinstance(opened("~/face.png"), PictureSource)
