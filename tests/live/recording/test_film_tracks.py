"""What a recording keeps of a film besides its pictures: sound, subtitles, chapters, metadata."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest
from support.sink_clips import beeps_heard, plain_frame, read_pictures, sound_span, write_sound

from engines.errors import SinkError
from live.sinks.video_file import VideoFileSink

FPS = 25


def _record(path: Path, film: Path, *, seconds: float, first_s: float = 0.0, stopped: bool = False) -> VideoFileSink:
    sink = VideoFileSink(path, film=film)
    sink.open(size_wh=(64, 48), fps=FPS)
    for number in range(round(seconds * FPS)):
        frame = plain_frame(number % 200, pts_s=first_s + number / FPS)
        is_last = number + 1 == round(seconds * FPS) and not stopped
        sink.send(replace(frame, hold_s=1 / FPS) if is_last else frame)
    sink.close()
    return sink


def _sound_codec(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.name


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("codec", "source_suffix", "copied_into"),
    [
        ("aac", "mp4", "mp4 mov mkv"),
        ("aac", "ts", "mp4 mov mkv"),
        ("libmp3lame", "mp3", "mp4 mov mkv"),
        ("ac3", "mkv", "mp4 mov mkv"),
        ("libopus", "mkv", "mp4 mkv"),
        ("flac", "flac", "mp4 mkv"),
        ("pcm_s16le", "wav", "mov mkv"),
        ("mp2", "mkv", "mkv"),
    ],
)
def test_sound_is_synchronous(tmp_path: Path, codec: str, source_suffix: str, copied_into: str, suffix: str) -> None:
    source = write_sound(tmp_path / f"sound.{source_suffix}", codec, (0.5, 1.75), 3.0)
    with av.open(str(source)) as container:
        zero_s = (container.start_time or 0) / 1e6  # the file's start time (broadcasts start late)
    path = tmp_path / f"clip.{suffix}"
    sink = _record(path, source, seconds=3.0)
    heard_s = beeps_heard(path)
    assert heard_s == pytest.approx([at - zero_s for at in beeps_heard(source)], abs=0.012)
    assert heard_s == pytest.approx([0.5, 1.75], abs=0.06)  # some codecs start slightly late
    if suffix in copied_into:
        assert _sound_codec(path) == _sound_codec(source)
        assert sink.warning is None
    else:
        assert _sound_codec(path) == "aac"
        assert sink.warning is not None and "becomes AAC" in sink.warning
    assert len(read_pictures(path)[1]) == 75


def test_late_sound_keeps_its_offset(tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    late = write_sound(tmp_path / "late.mp4", "aac", (0.25,), 1.0, start_s=1.0)
    first = VideoFileSink(source, film=late)  # pictures from 0 s, sound from 1 s
    first.open(size_wh=(64, 48), fps=FPS)
    for number in range(2 * FPS):
        first.send(plain_frame(100, pts_s=number / FPS))
    first.close()
    offset_s = beeps_heard(source)[0]
    _record(tmp_path / "again.mp4", source, seconds=2.0)
    assert beeps_heard(tmp_path / "again.mp4") == pytest.approx([offset_s], abs=0.012)


def test_late_pictures_keep_their_offset(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "sound.mp4", "aac", (0.5, 1.5), 2.0)
    path = tmp_path / "clip.mp4"
    _record(path, source, seconds=1.0, first_s=1.0)
    assert read_pictures(path)[1][0] == pytest.approx(1.0, abs=1e-4)
    assert beeps_heard(path) == pytest.approx([0.5, 1.5], abs=0.012)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_sound_after_the_last_picture_is_kept(tmp_path: Path, codec: str, suffix: str) -> None:
    source = write_sound(tmp_path / "sound.mkv", codec, (0.5, 2.5), 6.0)
    path = tmp_path / f"clip.{suffix}"
    _record(path, source, seconds=2.0)
    assert sound_span(path)[1] == pytest.approx(sound_span(source)[1], abs=0.025)
    assert beeps_heard(path) == pytest.approx(beeps_heard(source), abs=0.012)
    assert len(read_pictures(path)[1]) == 50, "the last picture is not repeated"


def test_sound_of_a_stopped_run_ends_with_its_last_picture(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "sound.mp4", "aac", (0.5, 1.5), 10.0)
    path = tmp_path / "clip.mp4"
    _record(path, source, seconds=1.0, stopped=True)
    assert sound_span(path)[1] == pytest.approx(1.0, abs=0.03)
    assert len(beeps_heard(path)) == 1


def test_short_sound_does_not_shorten_the_pictures(tmp_path: Path) -> None:
    source = write_sound(tmp_path / "sound.mp4", "aac", (0.1,), 0.5)
    path = tmp_path / "clip.mp4"
    _record(path, source, seconds=3.0)
    assert len(read_pictures(path)[1]) == 75
    assert sound_span(path)[1] == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("codec", ["aac", "ac3"])
def test_video_that_ends_before_its_sound_starts(tmp_path: Path, codec: str, suffix: str) -> None:
    film = tmp_path / "film.mkv"
    with av.open(str(film), "w") as container:  # pictures at 0 s, sound at 2 s
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height = 64, 48
        source = av.open(str(write_sound(tmp_path / "late.mkv", codec, (0.1,), 0.5)))
        audio = container.add_stream_from_template(source.streams.audio[0])
        container.mux(video.encode(av.VideoFrame(64, 48, "yuv420p")))
        container.mux(video.encode(None))
        for packet in source.demux(audio=0):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                packet.pts = packet.dts = packet.pts + round(2 / packet.time_base)
                packet.stream = audio
                container.mux(packet)
        source.close()
    path = tmp_path / f"clip.{suffix}"
    _record(path, film, seconds=1.0)
    assert len(read_pictures(path)[1]) == 25


def test_film_without_sound_is_recorded_silently(tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    sink = VideoFileSink(silent)
    sink.open(size_wh=(64, 48), fps=FPS)
    sink.send(plain_frame(100, pts_s=0.0))
    sink.close()
    again = _record(tmp_path / "again.mp4", silent, seconds=1.0)
    assert again.warning is None
    with av.open(str(tmp_path / "again.mp4")) as container:
        assert not container.streams.audio


def test_unreadable_sound_file_is_recorded_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "junk.mp4").write_bytes(b"no film at all " * 100)
    sink = _record(tmp_path / "clip.mp4", tmp_path / "junk.mp4", seconds=1.0)
    assert sink.warning is not None and sink.warning.startswith("junk.mp4: no sound: ")
    assert len(read_pictures(tmp_path / "clip.mp4")[1]) == 25


def test_missing_sound_file_is_an_error_without_output(tmp_path: Path) -> None:
    sink = VideoFileSink(tmp_path / "clip.mp4", film=tmp_path / "gone.mp4")
    with pytest.raises(SinkError, match="no such file"):
        sink.open(size_wh=(64, 48), fps=FPS)
    sink.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("codec", ["aac", "mp2"])
def test_damaged_sound_does_not_end_the_pictures(tmp_path: Path, codec: str) -> None:
    whole = write_sound(tmp_path / "whole.mkv", codec, (0.5, 2.5), 4.0).read_bytes()
    broken = tmp_path / "broken.mkv"
    noise = bytes((number * 97 + 13) % 256 for number in range(len(whole) // 3))
    broken.write_bytes(whole[: len(whole) // 3] + noise + whole[-len(whole) // 3 :])
    _record(tmp_path / "clip.mp4", broken, seconds=4.0)
    assert len(read_pictures(tmp_path / "clip.mp4")[1]) == 100
    assert beeps_heard(tmp_path / "clip.mp4")[0] == pytest.approx(0.5, abs=0.06)


def test_video_may_replace_its_own_sound_source(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    _record(film, write_sound(tmp_path / "sound.mp4", "aac", (0.5,), 2.0), seconds=2.0)
    _record(film, film, seconds=2.0)
    assert len(read_pictures(film)[1]) == 50
    assert beeps_heard(film) == pytest.approx([0.5], abs=0.03)
