"""VideoFileSink: frame count, timestamps, colours, sizes, file names."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.color import deltaE_ciede2000, rgb2lab
from support.ffmpeg_program import video_stream
from support.sink_clips import plain_frame, read_pictures

from engines.errors import SinkError
from live.pipeline.frame import Frame, ImageU8
from live.recording import encoders
from live.recording.encoders import EncoderSettings
from live.sinks.video_file import VideoFileSink


def _record(path: Path, frames: list[Frame], *, fps: float = 30.0, encoder: str = "auto") -> VideoFileSink:
    sink = VideoFileSink(path, settings=EncoderSettings(encoder))
    sink.open(size_wh=frames[0].size_wh, fps=fps)
    for frame in frames:
        sink.send(frame)
    sink.close()
    return sink


def _chart(colors_rgb: NDArray[Any], cell_px: int = 32) -> ImageU8:
    """Return a row of flat patches, (64, 32 N, 3) uint8 BGR."""
    row = np.repeat(colors_rgb[:, ::-1].astype(np.uint8), cell_px, axis=0)
    return np.ascontiguousarray(np.broadcast_to(row, (cell_px * 2, *row.shape)))


@pytest.mark.parametrize(("suffix", "precision_s"), [("mp4", 1e-5), ("m4v", 1e-5), ("mov", 1e-5), ("mkv", 6e-4)])
def test_recorded_frames_keep_order_and_timestamps(tmp_path: Path, suffix: str, precision_s: float) -> None:
    rng = np.random.default_rng(3)
    times_s = (0.25 + np.cumsum(rng.uniform(0.005, 0.08, 120))).tolist()  # an irregular camera
    levels = [(number * 37) % 200 + 20 for number in range(120)]
    path = tmp_path / f"clip.{suffix}"
    _record(path, [plain_frame(level, pts_s=at) for level, at in zip(levels, times_s, strict=True)])
    pictures, got_s = read_pictures(path)
    assert np.abs(np.array(got_s) - times_s).max() <= precision_s
    assert [abs(int(p.mean()) - level) <= 3 for p, level in zip(pictures, levels, strict=True)] == [True] * 120
    assert list(tmp_path.iterdir()) == [path]


def test_live_recording_starts_at_zero(tmp_path: Path) -> None:
    path = tmp_path / "live.mp4"
    _record(path, [plain_frame(100, captured_s=4711.5 + at) for at in (0.0, 0.03, 0.2, 0.21)])
    assert read_pictures(path)[1] == pytest.approx([0.0, 0.03, 0.2, 0.21], abs=1e-5)


def test_recording_from_mid_file_starts_at_zero(tmp_path: Path) -> None:
    path = tmp_path / "part.mp4"
    picture_bgr = plain_frame(100).bgr
    _record(path, [Frame(picture_bgr, 1500 + number, 0.0, 60.0 + number / 25) for number in range(3)])
    assert read_pictures(path)[1] == pytest.approx([0.0, 0.04, 0.08], abs=1e-5)


def test_recorded_timestamps_strictly_increase(tmp_path: Path) -> None:
    path = tmp_path / "back.mp4"
    _record(path, [plain_frame(100, pts_s=at) for at in (-0.5, 0.0, 0.5, 0.5, 0.1, 0.6)])
    _, got_s = read_pictures(path)
    assert len(got_s) == 6
    assert all(later > earlier for earlier, later in itertools.pairwise(got_s))
    assert got_s[0] == 0.0
    assert got_s[-1] == pytest.approx(0.6)


def test_last_frame_has_a_regular_duration(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _record(path, [plain_frame(100, pts_s=number / 25) for number in range(50)], fps=25)
    with av.open(str(path)) as container:
        assert container.duration is not None
        assert container.duration / 1e6 == pytest.approx(2.0, abs=0.002)


@pytest.mark.parametrize("encoder", ["libx264", "mpeg4"])
def test_recorded_colours_match(tmp_path: Path, encoder: str) -> None:
    steps = (16, 96, 176, 240)
    skins = [[255, 224, 189], [198, 134, 66], [141, 85, 36], [77, 43, 30], [180, 20, 45], [220, 110, 120]]
    colors_rgb = np.array([[r, g, b] for r in steps for g in steps for b in steps] + skins)
    chart_bgr = _chart(colors_rgb)
    path = tmp_path / "chart.mp4"
    _record(path, [Frame(chart_bgr, number, 0.0, number / 30) for number in range(5)], encoder=encoder)
    for picture in read_pictures(path)[0]:
        centres_rgb = picture[32, 16::32, ::-1]
        difference = deltaE_ciede2000(rgb2lab(colors_rgb / 255), rgb2lab(centres_rgb / 255))
        assert difference.max() <= 2.0, colors_rgb[difference.argmax()]


def test_video_is_tagged_bt709(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _record(path, [plain_frame(100, pts_s=number / 30) for number in range(30)])
    stream = video_stream(path)
    assert (stream["codec_name"], stream["pix_fmt"], stream["nb_frames"]) == ("h264", "yuv420p", "30")
    tags = [stream[key] for key in ("color_space", "color_primaries", "color_transfer", "color_range")]
    assert tags == ["bt709", "bt709", "bt709", "tv"]


@pytest.mark.parametrize(
    ("size_wh", "coded_wh"), [((641, 361), (642, 362)), ((1, 1), (16, 16)), ((17, 300), (18, 300))]
)
def test_odd_sizes_are_padded_with_edges(tmp_path: Path, size_wh: tuple[int, int], coded_wh: tuple[int, int]) -> None:
    picture_bgr = np.full((size_wh[1], size_wh[0], 3), 40, np.uint8)
    picture_bgr[:, -1] = 200
    path = tmp_path / "odd.mp4"
    _record(path, [Frame(picture_bgr, number, 0.0, number / 30) for number in range(3)])
    pictures, _ = read_pictures(path)
    assert pictures[0].shape[1::-1] == coded_wh
    assert abs(int(pictures[0][:, -1].mean()) - 200) < 12  # no black line at the right edge


def test_frame_of_another_size_is_fitted_into_the_video(tmp_path: Path) -> None:
    path = tmp_path / "sizes.mp4"
    tall = Frame(np.full((480, 120, 3), 200, np.uint8), 1, 0.0, 0.1)
    _record(path, [plain_frame(200, pts_s=0.0, size_wh=(320, 240)), tall])
    pictures, _ = read_pictures(path)
    assert pictures[1].shape == (240, 320, 3)
    assert pictures[1][:, 160].mean() > 190
    assert pictures[1][:, 20].mean() < 10


def test_8k_frames_are_recorded(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    _record(path, [plain_frame(90, pts_s=0.0, size_wh=(7680, 4320))])
    assert read_pictures(path)[0][0].shape == (4320, 7680, 3)


def test_mpeg4_fallback_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = (encoders.Encoder("h264_that_is_not_there"), encoders.AUTOMATIC[-1])
    monkeypatch.setattr(encoders, "AUTOMATIC", candidates)
    times_s = [0.0, 0.04, 0.1001, 0.2]
    sink = _record(tmp_path / "old.mp4", [plain_frame(100, pts_s=at) for at in times_s])
    assert sink.encoder_name == "mpeg4"
    assert sink.warning is not None and "no H.264 encoder" in sink.warning
    assert read_pictures(tmp_path / "old.mp4")[1] == pytest.approx(times_s, abs=2e-5)


def test_h264_is_preferred_without_a_warning(tmp_path: Path) -> None:
    sink = _record(tmp_path / "clip.mp4", [plain_frame(100, pts_s=0.0)])
    assert (sink.encoder_name, sink.warning) == ("libx264", None)


def test_no_encoder_is_an_error_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoders, "AUTOMATIC", ())
    sink = VideoFileSink(tmp_path / "clip.mp4")
    with pytest.raises(SinkError, match="no video encoder"):
        sink.open(size_wh=(64, 48), fps=30)
    sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0.0, float("nan"), 29.97, 1e9])
def test_any_frame_rate(tmp_path: Path, fps: float) -> None:
    path = tmp_path / "clip.mp4"
    _record(path, [plain_frame(100, pts_s=number / 30) for number in range(4)], fps=fps)
    assert len(read_pictures(path)[1]) == 4


def test_existing_file_is_kept_until_the_new_one_is_done(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"precious")
    sink = VideoFileSink(path)
    sink.open(size_wh=(64, 48), fps=30)
    for number in range(60):
        sink.send(plain_frame(100, pts_s=number / 30))
    assert path.read_bytes() == b"precious"
    assert sink.growing_path == tmp_path / "clip.part.mp4"
    sink.close()
    assert len(read_pictures(path)[1]) == 60
    assert list(tmp_path.iterdir()) == [path]


def test_part_file_of_a_killed_recording_is_kept(tmp_path: Path) -> None:
    for name in ("clip.mp4", "clip.part.mp4"):
        (tmp_path / name).write_bytes(b"precious")
    _record(tmp_path / "clip.mp4", [plain_frame(100, pts_s=0.0)])
    assert (tmp_path / "clip.part.mp4").read_bytes() == b"precious"
    assert len(read_pictures(tmp_path / "clip.mp4")[1]) == 1


@pytest.mark.parametrize("opened", [False, True])
def test_sink_without_frames_leaves_existing_files(tmp_path: Path, opened: bool) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"precious")
    for name in ("clip.mp4", "new.mp4"):
        sink = VideoFileSink(tmp_path / name)
        if opened:
            sink.open(size_wh=(64, 48), fps=30)
        sink.close()
        sink.close()
    assert {entry.name: entry.read_bytes() for entry in tmp_path.iterdir()} == {"clip.mp4": b"precious"}


def test_send_after_close_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    sink = _record(path, [plain_frame(100, pts_s=0.0)])
    size_bytes = path.stat().st_size
    sink.send(plain_frame(100, pts_s=1.0))
    sink.close()
    assert path.stat().st_size == size_bytes


def test_frame_is_not_modified(tmp_path: Path) -> None:
    frame = plain_frame(100, pts_s=0.0, size_wh=(63, 47))
    _record(tmp_path / "clip.mp4", [frame])
    assert frame.bgr.shape == (47, 63, 3)
    assert (frame.bgr == 100).all()
