"""Feeds of the files that the running program reads."""

from __future__ import annotations

import itertools
from pathlib import Path

from tests.fuzz.target import Feed


def settings(_folder: Path) -> Feed:
    from live.control.obs_settings import load_obs_settings
    from live.options import load_apply_options, load_options
    from live.settings import settings_file

    settings_file().parent.mkdir(parents=True, exist_ok=True)

    def feed(data: bytes) -> None:
        settings_file().write_bytes(data)
        load_options({})
        load_apply_options({})
        load_obs_settings(["toon"])

    return feed


def task(folder: Path) -> Feed:
    from live.tracking.task_file import read_task

    def feed(data: bytes) -> None:
        (folder / "face.task").write_bytes(data)
        read_task(folder / "face.task")

    return feed


def picture(folder: Path) -> Feed:
    from live.picture_files.picture_reader import PictureFile

    def feed(data: bytes) -> None:
        (folder / "picture").write_bytes(data)
        for picture in itertools.islice(PictureFile(folder / "picture").frames(), 4):
            bgr = picture.frame_bgr
            assert bgr.ndim == 3 and bgr.shape[2] == 3 and bgr.size and bgr.dtype == "uint8"
            assert picture.alpha is None or picture.alpha.shape == bgr.shape[:2]

    return feed


def video(folder: Path) -> Feed:
    from live.sources.video_source import VideoSource

    def feed(data: bytes) -> None:
        (folder / "video").write_bytes(data)
        source = VideoSource(folder / "video")
        try:
            source.open()
            last_s = -1.0
            for _ in range(4):
                frame = source.read()
                if frame is None:
                    break
                assert frame.bgr.ndim == 3 and frame.bgr.shape[2] == 3
                assert frame.pts_s is not None and last_s < frame.pts_s < float("inf")
                last_s = frame.pts_s
        finally:
            source.close()

    return feed
