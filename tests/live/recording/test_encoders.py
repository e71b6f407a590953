"""Encoders by name: what works writes a film that FFmpeg reads, what does not is refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import av
import pytest
from support.apply_parts import files, film, one_line, veneer
from support.sink_clips import plain_frame, read_pictures

from engines.errors import OptionsError
from live.recording.encoders import EncoderSettings, all_encoders, choose_encoder, encoder_options
from live.sinks.video_file import VideoFileSink

CODECS = {"libx264": "h264", "libx265": "hevc", "libsvtav1": "av1", "libvpx-vp9": "vp9", "mpeg4": "mpeg4"}


def record(path: Path, settings: EncoderSettings, *, frames: int = 8) -> VideoFileSink:
    sink = VideoFileSink(path, settings=settings)
    sink.open(size_wh=(160, 120), fps=25)
    for number in range(frames):
        sink.send(plain_frame(40 + 20 * number, pts_s=number / 25, size_wh=(160, 120)))
    sink.close()
    return sink


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("name", CODECS)
def test_each_software_encoder_writes_every_frame(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str, suffix: str
) -> None:
    path = tmp_path / f"film.{suffix}"
    record(path, EncoderSettings(name))
    pictures, times_s = read_pictures(path)
    assert [round(float(picture.mean()) / 20) for picture in pictures] == list(range(2, 10))
    assert times_s == pytest.approx([number / 25 for number in range(8)], abs=6e-4)
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == CODECS[name]
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="this system has no scheduling policies")
def test_no_encoder_leaves_threads_in_real_time(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0)
    sink = VideoFileSink(tmp_path / "film.mkv", settings=EncoderSettings("libsvtav1"))
    sink.open(size_wh=(160, 120), fps=25)
    sink.send(plain_frame(40, pts_s=0.0, size_wh=(160, 120)))
    assert {os.sched_getscheduler(int(thread.name)) for thread in Path("/proc/self/task").iterdir()} == {before}
    sink.close()


def test_lower_quality_makes_a_smaller_file(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", 20, size_wh=(160, 120))
    sizes = {}
    for quality in (10, 40):
        done = veneer("apply", source, tmp_path / f"{quality}.mp4", "--look", "none", "--quality", quality)
        assert done.returncode == 0, done.stderr
        sizes[quality] = (tmp_path / f"{quality}.mp4").stat().st_size
    assert sizes[40] < sizes[10]


def test_films_are_scaled_to_the_size_without_bars(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", 3, size_wh=(1000, 562))
    done = veneer("apply", source, tmp_path / "out.mp4", "--look", "none", "--size", "641x400", "--quality", 1)
    assert done.returncode == 0, done.stderr
    last = read_pictures(tmp_path / "out.mp4")[0][-1]
    assert last.shape == (360, 640, 3)
    before = read_pictures(source)[0][-1]
    assert abs(last.astype(int) - int(before.mean())).max() <= 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--encoder", "libx256"), "there is no such encoder - did you mean 'libx265'"),
        (("--quality", "60"), "--quality 60: out of range for libx264 - use 0 (best) to 51, by default 18"),
        (("--quality", "-1"), "--quality -1: out of range for libx264"),
        (("--preset", "warp"), "--preset warp: libx264 has no such preset - use ultrafast, superfast"),
        (("--encoder", "mpeg4", "--preset", "fast"), "mpeg4 has no presets"),
        (("--encoder", "libsvtav1", "--preset", "fast"), "libsvtav1 has no such preset - use 0, 1"),
        (("--encoder", "libvpx-vp9"), "mov files cannot hold its codec"),
        (("--size", "7x7"), "--size 7x7: out of range"),
    ],
)
def test_wrong_encoder_options_are_one_line(tmp_path: Path, options: tuple[str, ...], says: str) -> None:
    (tmp_path / "in.mp4").write_bytes(b"not opened")
    assert says in one_line(veneer("apply", tmp_path / "in.mp4", tmp_path / "out.mov", *options))
    assert files(tmp_path) == ["in.mp4"]


def test_missing_hardware_names_the_encoders_that_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("live.recording.encoders.HARDWARE_ENCODERS", ())
    with pytest.raises(OptionsError, match="--encoder hardware: it does not work on this machine - these do: libx264"):
        choose_encoder(EncoderSettings("hardware"), "mp4")


def test_every_encoder_accepts_its_own_presets_and_quality() -> None:
    for encoder in all_encoders():
        for preset in encoder.preset[1:] or (None,):
            encoder_options(encoder, EncoderSettings(encoder.name, preset=preset))
        for quality in (encoder.best, encoder.worst, encoder.default_quality) if encoder.quality else ():
            encoder_options(encoder, EncoderSettings(encoder.name, quality=quality))


def test_existing_outputs_are_kept_with_no_clobber(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.mp4", "b.mp4"):
        film(source / name, 3)
    before = film(tmp_path / "a.mp4", 5).read_bytes()
    done = veneer("apply", source, tmp_path, "--look", "none", "--no-clobber")
    assert done.returncode == 0, done.stderr
    assert "1 of 2 files done" in done.stderr and "1 existed and were kept" in done.stderr
    assert (tmp_path / "a.mp4").read_bytes() == before
    assert len(read_pictures(tmp_path / "b.mp4")[0]) == 3
    refused = one_line(veneer("apply", source / "a.mp4", tmp_path, "--look", "none", "--no-clobber"))
    assert "it exists" in refused and (tmp_path / "a.mp4").read_bytes() == before


def test_apply_reads_its_own_table_of_the_settings(tmp_path: Path, veneer_home: Path) -> None:
    from live.settings import settings_file

    settings_file().parent.mkdir(parents=True, exist_ok=True)
    settings_file().write_text('[run]\nlook = "toon"\n[apply]\nlook = "none"\nencoder = "libx265"\nquality = 30\n')
    source = film(tmp_path / "in.mp4", 3)
    for arguments, codec in (((), "hevc"), (("--encoder", "auto"), "h264")):
        done = veneer("apply", source, tmp_path / "out.mp4", *arguments)
        assert done.returncode == 0, done.stderr
        with av.open(str(tmp_path / "out.mp4")) as container:
            assert container.streams.video[0].codec_context.codec.canonical_name == codec


def test_hevc_in_mp4_is_tagged_for_apple_players(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mp4", 3)
    done = veneer("apply", source, tmp_path / "out.mp4", "--look", "none", "--encoder", "libx265")
    assert done.returncode == 0, done.stderr
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec_tag == "hvc1"
