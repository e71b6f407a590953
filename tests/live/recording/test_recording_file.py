"""RecordingFile: the file on disk can be played at any moment."""

from __future__ import annotations

import errno
import io
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from support.sink_clips import plain_frame

from live.pipeline.frame import Frame
from live.recording.recording_file import RecordingFile, container_options, create_file
from live.sinks.video_file import VideoFileSink


def _open(path: Path) -> RecordingFile:
    descriptor, _ = create_file(path)
    return RecordingFile(descriptor)


def test_overwrites_are_written_last(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file = _open(path)
    file.write(b"headbody")
    assert path.read_bytes() == b""
    file.flush_fragments()
    assert path.read_bytes() == b"headbody"
    file.seek(0)
    file.write(b"HEAD")
    file.seek(0, io.SEEK_END)
    file.write(b"tail")
    file.flush_fragments()
    assert path.read_bytes() == b"headbodytail"
    file.finish()
    assert path.read_bytes() == b"HEADbodytail"
    file.close_descriptor()
    file.close_descriptor()


def test_pending_data_is_overwritten_in_memory(tmp_path: Path) -> None:
    file = _open(tmp_path / "file")
    file.write(b"size....")
    file.seek(-4, io.SEEK_CUR)
    file.write(b"1234")
    file.seek(2, io.SEEK_CUR)
    file.write(b"z")
    assert file.tell() == 11
    file.finish()
    file.close_descriptor()
    assert (tmp_path / "file").read_bytes() == b"size1234\0\0z"


def test_failed_write_leaves_flushed_data_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    file = _open(path)
    file.write(b"whole")
    file.flush_fragments()
    real_write = os.write

    def half(descriptor: int, data: memoryview) -> int:
        if len(data) < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", half)
    file.write(b"another piece")
    with pytest.raises(OSError, match="No space"):
        file.flush_fragments()
    file.seek(0)
    file.write(b"XX")
    file.flush_fragments()
    file.finish()
    file.close_descriptor()
    assert path.read_bytes() == b"whole"


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_video_truncated_after_any_write_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    """The file after each write call must be playable from the first fragment on."""
    path = tmp_path / f"clip.{suffix}"
    states: list[bytes] = []
    real_write = os.write

    def watched(descriptor: int, data: bytes) -> int:
        written = real_write(descriptor, data)
        states.append(path.read_bytes())
        return written

    monkeypatch.setattr(os, "write", watched)
    sink = VideoFileSink(path)
    sink.open(size_wh=(64, 48), fps=30)
    noise = np.random.default_rng(0).integers(0, 255, (48, 128, 3), dtype=np.uint8)
    for number in range(90):
        sink.send(Frame(np.ascontiguousarray(noise[:, number % 64 : number % 64 + 64]), number, 0.0, number / 30))
    sink.close()
    counts = []
    for state in states:
        try:
            with av.open(io.BytesIO(state), "r") as container:
                counts.append(len(list(container.decode(video=0))))
        except av.error.FFmpegError:
            counts.append(0)  # valid only before the first fragment, because counts must not decrease
    assert counts == sorted(counts)
    assert counts[-1] == 90
    assert len([count for count in counts if count]) > 4


def test_finished_mp4_has_one_index(tmp_path: Path) -> None:
    if "hybrid" not in container_options("mp4", has_apple_metadata=False)["movflags"]:
        pytest.skip("this PyAV's FFmpeg is older than 8.1: files stay in fragments")
    path = tmp_path / "clip.mp4"
    sink = VideoFileSink(path)
    sink.open(size_wh=(64, 48), fps=30)
    for number in range(90):
        sink.send(plain_frame(number, pts_s=number / 30))
    sink.close()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.frames == 90
        assert stream.time_base == Fraction(1, 90000)
        assert stream.duration is not None
        assert stream.duration * stream.time_base == pytest.approx(3.0)
