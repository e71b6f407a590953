"""The animation sink: an animated GIF, WebP, PNG or AVIF with the times of its frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from live.picture_files.picture import Picture
from live.picture_files.picture_writer import fit_to_format, picture_format, save_animation, to_pillow
from live.picture_files.spooled_frames import SpooledFrames
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.sinks.base import FrameSink


class AnimationFileSink(FrameSink):
    """Writes every frame into an animation, when it is closed. Frames wait in a temporary file on the disk.

    Args:
        path: Ends in one of `ANIMATION_SUFFIXES`.
        picture_of: Returns the picture of a frame, whose transparency, profile and time are kept; None for frames of
            a video, whose times are those of the frames.
        plays: How often the animation is played; 0 without end.

    Attributes:
        lost: What the format cannot hold, in words; complete after `close`.
    """

    live = False

    def __init__(self, path: Path, *, picture_of: Callable[[int], Picture] | None, plays: int) -> None:
        self.name = f"file:{path}"
        self.lost: list[str] = []
        self._path, self._format, self._picture_of, self._plays = path, picture_format(path), picture_of, plays
        self._spool: SpooledFrames | None = None
        self._like: Picture | None = None
        self._durations_ms: list[float] = []
        self._last_s: float | None = None

    def open(self, *, size_wh: tuple[int, int], fps: float) -> None:
        """Create the temporary file."""
        self._size_wh, self._frame_ms = size_wh, 1e3 / (fps or 30.0)
        self._spool = SpooledFrames(size_wh)

    def send(self, frame: Frame) -> None:
        """Add one frame.

        Raises:
            SinkError: The disk of the temporary file is full.
        """
        if self._spool is None:
            return
        painted_bgr = fit_into(frame.bgr, self._size_wh)
        if self._picture_of is not None:
            picture = self._picture_of(frame.frame_id).painted(painted_bgr, covered=True)
            self._durations_ms.append(picture.duration_ms)
        else:
            picture = Picture(_rgb(painted_bgr), is_lossless=False)
            self._add_film_time(frame.time_s)
        picture, self.lost = fit_to_format(picture, self._format)
        self._like = self._like or replace(picture, rgb=picture.rgb[:1], alpha=None, is_painted=None)
        self._spool.append(to_pillow(picture, self._format))

    def _add_film_time(self, at_s: float) -> None:
        """Set the time of the frame before, which ends now."""
        if self._last_s is not None:
            self._durations_ms[-1] = (at_s - self._last_s) * 1e3
        self._durations_ms.append(self._frame_ms)
        self._last_s = at_s

    def close(self) -> None:
        """Write the file. Without a frame none is written.

        Raises:
            SinkError: The file cannot be written.
        """
        spool, self._spool = self._spool, None
        if spool is None:
            return
        try:
            if self._like is not None:
                save_animation(self._path, spool, self._durations_ms, plays=self._plays, like=self._like)
        finally:
            spool.close()


def _rgb(bgr: ImageU8) -> ImageU8:
    return np.ascontiguousarray(bgr[:, :, ::-1])
