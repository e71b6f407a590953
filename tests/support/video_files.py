"""Video files whose frames show their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import Frame
from live.sources.video_source import VideoSource

Picture = NDArray[np.uint8]
SIZE_WH = (192, 128)


def numbered(index: int) -> Picture:
    """Return a picture that encodes its number: a bright bar at x = 6 * index, and different corners."""
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), 60, np.uint8)
    picture[48:80, 6 * index : 6 * index + 6] = 230
    picture[:32, :32], picture[:32, -32:], picture[-32:, :32] = (30, 30, 220), (30, 200, 30), (220, 60, 30)
    return picture


def number_in(bgr: Picture) -> int:
    """Return the number of a picture of `numbered`."""
    return int(bgr[60:68].mean(axis=(0, 2)).argmax()) // 6


def write_video(
    path: Path,
    pictures: Sequence[Picture],
    *,
    stamps_ms: Sequence[int] | None = None,
    codec: str = "libx264",
    sound_s: float = 0.0,
    pixel_aspect: Fraction | None = None,
    **options: str,
) -> Path:
    """Encode BGR pictures, at 25 frames per second unless timestamps are given."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"crf": "8", "g": "12", "preset": "veryfast"} if codec == "libx264" else {}
        if pixel_aspect:
            stream.codec_context.sample_aspect_ratio = pixel_aspect
        sound = container.add_stream("aac", rate=16000) if sound_s else None
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = (stamps_ms[index] if stamps_ms else 40 * index), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None:
            tone = np.zeros((1, int(16000 * sound_s)), np.float32)
            audio = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            audio.sample_rate, audio.pts = 16000, 0
            container.mux(sound.encode(audio))
            container.mux(sound.encode(None))
    return path


def all_frames(source: VideoSource) -> list[Frame]:
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return frames
