"""VideoSource: order, timestamps, orientation, damaged files, pacing."""

from __future__ import annotations

import itertools
import struct
import threading
import time
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from support.apply_parts import avi
from support.ffmpeg_program import ffmpeg
from support.video_files import SIZE_WH, all_frames, number_in, numbered, write_video

from engines.errors import SourceError
from live.sources import pace
from live.sources.stream_clock import StreamClock
from live.sources.video_source import VideoSource


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", [numbered(index) for index in range(30)], movflags="faststart")


def test_video_frames_keep_order_and_timestamps(video: Path) -> None:
    source = VideoSource(video)
    info = source.open()
    assert not source.live
    assert (info.name, info.size_wh, info.fps, info.frame_count) == ("clip.mp4", SIZE_WH, 25.0, 30)
    frames = all_frames(source)
    assert [frame.frame_id for frame in frames] == list(range(30))
    assert [number_in(frame.bgr) for frame in frames] == list(range(30))
    assert [frame.pts_s for frame in frames] == pytest.approx([index / 25 for index in range(30)])
    assert source.warning is None and source.read() is None


def test_each_frame_is_an_array_of_its_own(video: Path) -> None:
    source = VideoSource(video)
    source.open()
    first, second = source.read(), source.read()
    assert first is not None and second is not None
    assert first.bgr.flags.c_contiguous and first.bgr.flags.writeable
    kept = second.bgr.copy()
    first.bgr[:] = 0
    assert np.array_equal(second.bgr, kept)
    assert [number_in(frame.bgr) for frame in all_frames(source)] == list(range(2, 30)), "unaffected by writes"


def test_unconverted_pixels_are_copied_from_the_decoder(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "raw.avi"), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = *SIZE_WH, "bgr24"
        for index in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(numbered(index), format="bgr24")))
        container.mux(stream.encode(None))
    source = VideoSource(tmp_path / "raw.avi")
    source.open()
    frames = all_frames(source)
    assert len(frames) == 3
    for index, frame in enumerate(frames):
        assert np.array_equal(frame.bgr, numbered(index)) and frame.bgr.flags.writeable


def test_variable_frame_rate_keeps_timestamps(tmp_path: Path) -> None:
    stamps_ms = [0, 40, 60, 200, 210, 700, 1900, 1940]
    path = write_video(tmp_path / "vfr.mkv", [numbered(index) for index in range(8)], stamps_ms=stamps_ms)
    source = VideoSource(path)
    source.open()
    assert [frame.pts_s for frame in all_frames(source)] == pytest.approx([ms / 1000 for ms in stamps_ms], abs=2e-3)


def test_stream_without_timestamps_uses_the_frame_rate(tmp_path: Path) -> None:
    path = write_video(tmp_path / "bare.h264", [numbered(index) for index in range(20)])
    source = VideoSource(path)
    info = source.open()
    frames = all_frames(source)
    assert [number_in(frame.bgr) for frame in frames] == list(range(20))
    assert [frame.pts_s for frame in frames] == pytest.approx([index / info.fps for index in range(20)])


def test_stream_positions_strictly_increase() -> None:
    clock = StreamClock(0.04, 10.0)
    stamps_s = [10.0, 10.04, 10.04, 10.03, 10.12, None, 2.0, 2.04, 9000.0, 9000.04]
    places_s = [clock.position_s(stamp_s) for stamp_s in stamps_s]
    assert all(after > before for before, after in itertools.pairwise(places_s))
    assert places_s[0] == 0.0 and places_s[4] == pytest.approx(0.12), "a repeated timestamp does not shift later ones"
    assert places_s[5:] == pytest.approx([0.16, 0.20, 0.24, 0.28, 0.32]), "one frame after a clock reset"


def test_false_durations_of_months_are_ignored(tmp_path: Path) -> None:
    clock = StreamClock(0.04, 0.0, can_jump=False)
    assert [clock.position_s(stamp_s) for stamp_s in (0.0, 7200.0, 9e6)] == pytest.approx([0.0, 7200.0, 7200.04])
    data = bytearray(avi(tmp_path / "clip.avi", 1).read_bytes())
    struct.pack_into("<I", data, data.index(b"strh") + 28, 570_425_345)  # the scale of its clock
    (tmp_path / "clip.avi").write_bytes(data)
    source = VideoSource(tmp_path / "clip.avi")
    source.open()
    (frame,) = all_frames(source)
    assert frame.hold_s is not None and frame.hold_s < 1


def set_display_matrix(path: Path, matrix: Sequence[int]) -> None:
    """Write a display matrix (a, b, c, d) into the MP4's track header, as phones do."""
    data = bytearray(path.read_bytes())
    a, b, c, d = (65536 * number for number in matrix)
    struct.pack_into(">9i", data, data.index(b"tkhd") + 44, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((0, 1, -1, 0), lambda p: np.rot90(p, -1)),
        ((-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
        ((0, -1, 1, 0), lambda p: np.rot90(p, 1)),
        ((-1, 0, 0, 1), lambda p: p[:, ::-1]),
        ((1, 0, 0, -1), lambda p: p[::-1]),
        ((0, 1, 1, 0), lambda p: p.swapaxes(0, 1)),
    ],
    ids=["clockwise", "upside down", "counterclockwise", "mirrored", "flipped", "transposed"],
)
def test_display_matrix_is_applied(video: Path, matrix: Sequence[int], expected: Any) -> None:
    as_stored = VideoSource(video)
    as_stored.open()
    want_bgr = expected(all_frames(as_stored)[3].bgr)
    set_display_matrix(video, matrix)
    source = VideoSource(video)
    assert source.open().size_wh == (want_bgr.shape[1], want_bgr.shape[0])
    assert np.array_equal(all_frames(source)[3].bgr, want_bgr)


def test_non_square_pixels_are_corrected(tmp_path: Path) -> None:
    path = write_video(tmp_path / "wide.mp4", [numbered(index) for index in range(5)], pixel_aspect=Fraction(4, 3))
    source = VideoSource(path)
    assert source.open().size_wh == (256, 128)
    assert {frame.size_wh for frame in all_frames(source)} == {(256, 128)}


@pytest.mark.parametrize("name", ["cut.mp4", "cut.mkv"])
def test_truncated_file_returns_its_intact_frames(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(1)
    pictures = [cv2.add(numbered(index), rng.integers(0, 24, (128, 192, 3), np.uint8)) for index in range(30)]
    whole = write_video(tmp_path / name, pictures, movflags="faststart") if name.endswith("mp4") else None
    path = whole or write_video(tmp_path / name, pictures)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    source = VideoSource(path)
    source.open()
    frames = all_frames(source)
    assert 10 <= len(frames) < 30
    assert [number_in(frame.bgr) for frame in frames] == list(range(len(frames))), "no frame with artefacts"
    assert source.warning == f"the file is truncated; frames that were read: {len(frames)}"


def test_truncated_film_with_late_pictures_is_noticed(tmp_path: Path) -> None:
    path, sources = tmp_path / "late.mkv", ("testsrc2=size=320x240:duration=2", "sine=duration=4")
    inputs = ("-itsoffset", 1.2, "-f", "lavfi", "-i", sources[0], "-f", "lavfi", "-i", sources[1])
    ffmpeg(*inputs, "-c:v", "libx264", "-c:a", "libopus", path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    source = VideoSource(path)
    source.open()
    frames = all_frames(source)
    assert 10 <= len(frames) < 50
    assert source.warning == f"the file is truncated; frames that were read: {len(frames)}"
    assert frames[-1].hold_s == pytest.approx(0.04, abs=0.01)


def test_damaged_packets_are_skipped(video: Path) -> None:
    data = bytearray(video.read_bytes())
    start = data.index(b"mdat") + 4
    middle = start + (len(data) - start) // 2
    data[middle : middle + 60] = bytes(60)
    video.write_bytes(data)
    source = VideoSource(video)
    source.open()
    numbers = [number_in(frame.bgr) for frame in all_frames(source)]
    assert len(numbers) >= 20 and numbers[-1] == 29, "decoding continues to the end"


def test_invalid_videos_are_one_line_errors(tmp_path: Path, video: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with wave.open(str(tmp_path / "sound.mp4"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    data = write_video(tmp_path / "index_last.mp4", [numbered(index) for index in range(20)]).read_bytes()
    contents = {
        "text.mp4": b"dear diary\n" * 9,
        "notes.txt": b"dear diary\n" * 9,
        "empty.mp4": b"",
        "half.mp4": data[:-900],
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    cv2.imwrite(str(tmp_path / "picture.png"), numbered(0))
    (tmp_path / "folder.mp4").mkdir()
    got = {"text.mp4": "no video", "notes.txt": "no video", "empty.mp4": "empty", "half.mp4": "never finished"}
    got |= {"picture.png": "no video", "sound.mp4": "no picture", "folder.mp4": "no file", "none.mp4": "no such file"}
    for name, words in got.items():
        source = VideoSource(tmp_path / name)
        with pytest.raises(SourceError, match=name) as caught:
            source.open()
        assert words in caught.value.got and "\n" not in str(caught.value)
        source.close()
        assert source.read() is None
    assert capfd.readouterr().err == ""


def test_paced_frames_wait_and_late_frames_are_kept(video: Path) -> None:
    source = VideoSource(video, pace=True)
    source.open()
    began_s = time.monotonic()
    first = source.read()
    assert first is not None
    for _ in range(9):
        source.read()
    assert time.monotonic() - began_s >= 9 / 25 - 0.01
    time.sleep(0.3)
    rest = all_frames(source)
    assert [frame.frame_id for frame in rest] == list(range(10, 30)), "late frames are kept"
    assert all(frame.captured_s >= began_s + (frame.pts_s or 0) - 0.01 for frame in rest)


def test_close_ends_a_long_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "slow.mkv", [numbered(0), numbered(1)], stamps_ms=[0, 30_000])
    source = VideoSource(path, pace=True)
    source.open()
    assert source.read() is not None
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        source.read()
    monkeypatch.setattr(pace, "MAX_WAIT_S", 15.0)  # so that the wait does not end by itself
    threading.Timer(0.1, source.close).start()
    assert source.read() is None
    assert time.monotonic() - began_s < 10
    source.close()


def test_close_while_another_thread_reads(video: Path) -> None:
    for _ in range(10):
        source = VideoSource(video)
        source.open()
        reader = threading.Thread(target=all_frames, args=(source,))
        reader.start()
        source.close()
        reader.join(10)
        assert not reader.is_alive() and source.read() is None


@pytest.mark.data
def test_real_clips_are_read_to_the_end(data_dir: Path) -> None:
    clips = [path for path in sorted((data_dir / "clips").rglob("*")) if path.suffix in (".mp4", ".mkv")]
    assert clips
    for path in clips:
        source = VideoSource(path)
        info = source.open()
        frames, last_s = 0, -1.0
        while (frame := source.read()) is not None and frames < 120:
            assert frame.size_wh == info.size_wh and frame.pts_s is not None and frame.pts_s > last_s
            frames, last_s = frames + 1, frame.pts_s
        source.close()
        assert frames >= 40 and source.warning is None, path.name
        assert last_s == pytest.approx((frames - 1) / info.fps, rel=0.1)
