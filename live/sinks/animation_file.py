"""The animation sink: an animated GIF, WebP, PNG or AVIF with the times of its frames."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engines.errors import SinkError
from live.picture_files.picture import Picture
from live.picture_files.picture_reader import PICTURE_SUFFIXES, PictureFile
from live.picture_files.picture_writer import (
    ANIMATION_SUFFIXES,
    fit_to_format,
    picture_format,
    save_animation,
    to_pillow,
)
from live.picture_files.spooled_frames import SpooledFrames
from live.pipeline.frame import Frame, ImageU8, fit_into
from live.recording.recording_file import check_target, error_text
from live.sinks.base import FrameSink
from live.sources.picture_source import PictureSource


def check_animation_target(output: Path, animation: PictureFile | None) -> None:
    """Check that a video, or an animation, can be written to a path.

    Raises:
        SinkError: The suffix is of no such file, or the place is not writable.
    """
    suffix = output.suffix.lower()
    if suffix in ANIMATION_SUFFIXES and (animation or suffix != ".png"):  # .png: still picture
        return
    if animation and suffix in PICTURE_SUFFIXES:
        got = f"{animation.path.name} is an animation of {animation.frame_count} frames, a {suffix} holds one"
        raise SinkError(f"output {output}", got, "end it in .gif, .webp, .png, .avif or .mp4")
    check_target(output)


def animation_sink(
    output: Path, source: Path, animation: PictureFile | None, pictures: PictureSource | None
) -> AnimationFileSink | None:
    """Return the sink if the output is an animation; None for a video.

    Args:
        output: The file to write.
        source: The file that is rendered.
        animation: That file if it is an animation; None for a video.
        pictures: The source that reads the animation, with `keep`.
    """
    if output.suffix.lower() not in ANIMATION_SUFFIXES:
        return None
    if animation is None or pictures is None:
        lost = ["sound"] if _has_sound(source) else []
        return AnimationFileSink(output, source.name, picture_of=None, plays=0, lost=lost)
    return AnimationFileSink(output, source.name, picture_of=pictures.take, plays=animation.plays)


def _has_sound(path: Path) -> bool:
    import av

    with (
        contextlib.suppress(av.FFmpegError, OSError, ValueError),
        av.open(str(path), options={"protocol_whitelist": "file"}) as file,
    ):
        return bool(file.streams.audio)
    return False


class AnimationFileSink(FrameSink):
    """Writes every frame into an animation, when it is closed. Frames wait in a temporary file on the disk.

    Args:
        path: Ends in one of `ANIMATION_SUFFIXES`.
        source_name: For messages.
        picture_of: Returns the picture of a frame, whose transparency, profile and time are kept; None for frames of
            a video, whose times are those of the frames.
        plays: How often the animation is played; 0 without end.
        lost: What of the film is not kept, in words.
    """

    live = False

    def __init__(
        self,
        path: Path,
        source_name: str,
        *,
        picture_of: Callable[[int], Picture] | None,
        plays: int,
        lost: Sequence[str] = (),
    ) -> None:
        self.name, self._source_name, self._lost = f"file:{path}", source_name, list(lost)
        self._path, self._format, self._picture_of, self._plays = path, picture_format(path), picture_of, plays
        self._spool: SpooledFrames | None = None
        self._like: Picture | None = None
        self._note = ""
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
            self._add_film_time(frame)
        self._note = self._note or frame.note
        picture = replace(picture, note=frame.note)
        picture, lost = fit_to_format(picture, self._format)
        self._lost += [what for what in lost if what not in self._lost]
        try:
            self._spool.append(to_pillow(picture, self._format))
        except OSError as error:
            do = "free some space, or set TMPDIR to a folder on another disk"
            raise SinkError(f"a temporary file for {self._path}", error_text(error), do) from None
        self._like = self._like or replace(picture, rgb=picture.rgb[:1], alpha=None, is_painted=None)

    def _add_film_time(self, frame: Frame) -> None:
        """Set the time of the frame before, which ends now."""
        if self._last_s is not None:
            self._durations_ms[-1] = (frame.time_s - self._last_s) * 1e3
        self._durations_ms.append(self._frame_ms if frame.hold_s is None else frame.hold_s * 1e3)
        self._last_s = frame.time_s

    def close(self) -> None:
        """Write the file. Without a frame none is written.

        Raises:
            SinkError: The file cannot be written.
        """
        spool, self._spool = self._spool, None
        if spool is None:
            return
        if self._lost:
            self.warning = f"{self._source_name}: not kept in a {self._path.suffix}: {', '.join(self._lost)}"
        try:
            if self._like is not None:
                like = replace(self._like, note=self._note)
                save_animation(self._path, spool, self._durations_ms, plays=self._plays, like=like)
        finally:
            spool.close()


def _rgb(bgr: ImageU8) -> ImageU8:
    return np.ascontiguousarray(bgr[:, :, ::-1])
