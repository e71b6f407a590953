"""Small video and sound files for tests, written and read with PyAV."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from live.pipeline.frame import Frame, ImageU8

RATE_HZ = 48000


def plain_frame(
    level: int, *, pts_s: float | None = None, captured_s: float = 0.0, size_wh: tuple[int, int] = (64, 48)
) -> Frame:
    """Return one grey frame."""
    return Frame(np.full((size_wh[1], size_wh[0], 3), level, np.uint8), 0, captured_s, pts_s)


def read_pictures(path: Path) -> tuple[list[ImageU8], list[float]]:
    """Return all frames before the end or the first damage, with their timestamps in seconds."""
    pictures, times_s = [], []
    reformatter: Any = VideoReformatter()
    with av.open(str(path)) as container:
        try:
            for frame in container.decode(video=0):
                assert frame.pts is not None and frame.time_base is not None
                matrix = {1: "ITU709"}.get(int(frame.colorspace), "ITU601")  # older PyAV ignores the tag
                ranges = {"src_color_range": "MPEG", "dst_color_range": "JPEG"}
                shown = reformatter.reformat(frame, format="bgr24", src_colorspace=matrix, **ranges)
                pictures.append(shown.to_ndarray().astype(np.uint8))
                times_s.append(float(frame.pts * frame.time_base))
        except av.error.InvalidDataError:
            pass
    return pictures, times_s


def beep(beeps_s: tuple[float, ...], duration_s: float) -> NDArray[np.float32]:
    """Return silence with 0.1 s of 1 kHz at each of the times; (N,) float32 mono, -1..1."""
    t_s = np.arange(int(duration_s * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(t_s), np.float32)
    for start_s in beeps_s:
        inside = (t_s >= start_s) & (t_s < start_s + 0.1)
        sound[inside] = 0.8 * np.sin(2 * np.pi * 1000 * t_s[inside])
    return sound


def write_sound(path: Path, codec: str, beeps_s: tuple[float, ...], duration_s: float, *, start_s: float = 0.0) -> Path:
    """Write a sound file of stereo beeps whose first timestamp is `start_s`; the suffix selects the container."""
    samples = (np.stack([beep(beeps_s, duration_s)] * 2) * 32767).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(codec, rate=RATE_HZ, layout="stereo")
        for start in range(0, samples.shape[1], 1024):
            block = np.ascontiguousarray(samples[:, start : start + 1024].T.reshape(1, -1))
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="stereo")
            frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
            frame.pts = start + round(start_s * RATE_HZ)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def beeps_heard(path: Path) -> list[float]:
    """Return the start of each beep, in seconds on the clock of the pictures."""
    onsets_s: list[float] = []
    last_s = float("-inf")
    with av.open(str(path)) as container:
        for frame in _decoded_sound(container):
            assert frame.pts is not None and frame.time_base is not None
            samples = frame.to_ndarray().astype(np.float32)
            peak = np.iinfo(frame.to_ndarray().dtype).max if frame.to_ndarray().dtype.kind == "i" else 1.0
            channels = len(frame.layout.channels)
            loud = (
                np.abs(samples.reshape(-1, channels) if samples.shape[0] == 1 else samples.T).max(axis=1) / peak > 0.2
            )
            for index in np.flatnonzero(loud):
                at_s = float(frame.pts * frame.time_base) + index / frame.sample_rate
                if at_s - last_s > 0.05:
                    onsets_s.append(at_s)
                last_s = at_s
    return onsets_s


def _decoded_sound(container: Any) -> Iterator[Any]:
    """Yield the sound frames; damaged packets are skipped, as by players."""
    for packet in container.demux(audio=0):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def sound_span(path: Path) -> tuple[float, float]:
    """Return the start of the first and the end of the last sound packet, in seconds."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        spans = [
            (float(p.pts * p.time_base), float((p.pts + (p.duration or 0)) * p.time_base))
            for p in container.demux(stream)
            if p.pts is not None and p.time_base is not None
        ]
    return min(start for start, _ in spans), max(end for _, end in spans)
