"""A film of pictures that are there already."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np

from live.pipeline.frame import Frame, ImageU8
from live.sinks.video_file import VideoFileSink

_LEAST_PX = 384  # smaller pictures are enlarged without smoothing, as some players and encoders fail on them


def write_film(path: Path, pictures_bgr: Iterable[ImageU8], fps: float) -> int:
    """Write an MP4 of pictures of one size, (H, W, 3) uint8 BGR; return their number.

    Raises SinkError if the file cannot be written.
    """
    sink, count = VideoFileSink(path), 0
    try:
        for picture in pictures_bgr:
            times = max(1, -(-_LEAST_PX // min(picture.shape[:2])))
            large = cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_NEAREST)
            if not count:
                sink.open(size_wh=(large.shape[1], large.shape[0]), fps=fps)
            sink.send(Frame(np.asarray(large, np.uint8), count, count / fps, pts_s=count / fps))
            count += 1
    finally:
        sink.close()
    return count
