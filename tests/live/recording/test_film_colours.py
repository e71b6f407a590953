"""Films that pass through Veneer unchanged keep their colours; `ffmpeg` and `ffprobe` are the second readers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab
from support.ffmpeg_program import ffmpeg, video_stream
from support.video_files import Picture

from live.recording.encoders import EncoderSettings
from live.sinks.video_file import VideoFileSink
from live.sources.video_source import VideoSource

FRAMES = 6


def passed_through(source: Path, output: Path, settings: EncoderSettings | None = None) -> Path:
    """Write every frame of a film into another, as `veneer apply --look none` does."""
    reader, writer = VideoSource(source), VideoFileSink(output, settings=settings)
    info = reader.open()
    writer.open(size_wh=info.size_wh, fps=info.fps)
    while (frame := reader.read()) is not None:
        writer.send(frame)
    writer.close()
    return output


def seen_by_ffmpeg(path: Path) -> Picture:
    """Return all frames below one another, as BGR by the matrix and the range that the file states."""
    picture = path.with_suffix(".png")
    exact = f"scale=flags=accurate_rnd+full_chroma_int+bicubic,format=bgr24,tile=1x{FRAMES}"
    ffmpeg("-i", path, "-vf", exact, "-frames:v", 1, picture)
    return np.asarray(cv2.imread(str(picture)), np.uint8)


def mean_difference(*pictures: Picture) -> float:
    """Return the mean dE2000 of two pictures."""
    labs = [rgb2lab(picture[::3, ::3, ::-1] / 255.0) for picture in pictures]
    return float(deltaE_ciede2000(*labs).mean())


def film(folder: Path, portrait_bgr: Picture, pixel_format: str, *tags: str) -> Path:
    """Write a film of the portrait that moves, in the colours of the tags."""
    cv2.imwrite(str(folder / "portrait.png"), portrait_bgr)
    matrix = tags[tags.index("-colorspace") + 1]
    full = "pc" if "j" in pixel_format else "tv"
    scale = f"scale=out_color_matrix={matrix}:out_range={full}:flags=accurate_rnd+full_chroma_int"
    move = f"crop=320:240:x=4*n:y=60,{scale},format={pixel_format}"
    path = folder / "film.mkv"
    loop = ("-loop", 1, "-framerate", 25, "-i", folder / "portrait.png", "-frames:v", FRAMES)
    ffmpeg(*loop, "-vf", move, "-c:v", "libx264", "-crf", 6, "-preset", "veryfast", *tags, path)
    return path


SD = ("-colorspace", "smpte170m", "-color_primaries", "smpte170m", "-color_trc", "smpte170m")
HD = ("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709")
OLD_HD = ("-colorspace", "smpte240m", "-color_primaries", "smpte240m", "-color_trc", "smpte240m")
OLD_SD = ("-colorspace", "fcc", "-color_primaries", "bt470m", "-color_trc", "bt709")


@pytest.mark.parametrize(
    ("pixel_format", "tags"),
    [("yuv420p", SD), ("yuv420p", HD), ("yuvj420p", HD), ("yuv420p10le", HD), ("yuv420p", OLD_HD), ("yuv420p", OLD_SD)],
    ids=["bt601", "bt709", "full-range", "10-bit", "smpte240m", "fcc"],
)
def test_ten_passes_do_not_shift_colours(
    tmp_path: Path, portrait_bgr: Picture, pixel_format: str, tags: tuple[str, ...]
) -> None:
    path = film(tmp_path, portrait_bgr, pixel_format, *tags)
    before = seen_by_ffmpeg(path)
    for number in range(10):
        path = passed_through(path, tmp_path / f"{number}.mp4")
    after = seen_by_ffmpeg(path)
    shift = after.astype(np.float32).mean(axis=(0, 1)) - before.mean(axis=(0, 1))
    assert np.abs(shift).max() < 1.0
    assert mean_difference(before, after) < 1.5
    stated = video_stream(path)
    assert [stated[key] for key in ("color_space", "color_primaries", "color_transfer")] == [*tags[1::2]]
    assert stated["color_range"] == "tv"


def test_ten_passes_without_loss_change_nothing_visible(tmp_path: Path, portrait_bgr: Picture) -> None:
    path = film(tmp_path, portrait_bgr, "yuv420p", *HD)
    before = seen_by_ffmpeg(path)
    for number in range(10):
        path = passed_through(path, tmp_path / f"{number}.mkv", EncoderSettings(quality=0))
    difference = mean_difference(before, seen_by_ffmpeg(path))
    assert difference < 0.1
