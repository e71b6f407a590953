"""Films of different make through `veneer apply` and `run`: pictures, times, sound, tracks; read by `ffprobe`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.apply_parts import veneer
from support.ffmpeg_program import ffmpeg, probe
from support.film_collection import LONG_S, make_film, picture_subtitles

from benchmarks.film_fidelity import Film, compare, read_film
from live.sinks.video_file import VideoFileSink
from live.sources.video_source import VideoSource

TICK_S = {".mp4": 1 / 90000, ".mov": 1 / 90000, ".mkv": 1e-3}
# One film for each way in which copies used to differ, or for which a container needs care.
QUICK = (
    *("uneven.mp4", "slides.mp4", "long_sound.mp4", "short_sound.mp4", "sound_first.mp4", "sound_late.mp4"),
    *("edited.mp4", "b_frames.mp4", "ac3.mp4", "slides.mkv", "jitter_opus.mkv", "unlabelled_six.mkv", "gap.mkv"),
    *("dts.mkv", "eight_channels.mkv", "vp9.webm", "mpeg4.avi", "wrapped.ts", "hevc.ts"),
)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return a function that makes a film of the collection, once."""
    folder = tmp_path_factory.mktemp("films")
    return lambda name: make_film(folder, name)


@functools.cache
def read_source(path: Path) -> Film:
    """Read a film of the collection, once."""
    return read_film(path)


def copied(source: Path, path: Path) -> str | None:
    """Copy a film through source and sink, and return the warning."""
    reader, writer = VideoSource(source), VideoFileSink(path, film=source)
    info = reader.open()
    writer.open(size_wh=info.size_wh, fps=info.fps)
    while (frame := reader.read()) is not None:
        writer.send(frame)
    reader.close()
    writer.close()
    assert reader.warning is None
    return writer.warning


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("name", QUICK)
def test_copied_film_keeps_pictures_times_and_sound(
    tmp_path: Path, film: Callable[[str], Path], name: str, suffix: str
) -> None:
    path = tmp_path / f"copy{suffix}"
    copied(film(name), path)
    got = compare(read_source(film(name)), read_film(path), TICK_S[suffix])
    assert got.is_faithful, got
    assert got.sync_ms < 25, got


@pytest.mark.parametrize("name", ["slides.mp4", "slides.mkv"])
@pytest.mark.parametrize("suffix", TICK_S)
def test_last_slide_is_held_for_its_own_time(
    tmp_path: Path, film: Callable[[str], Path], name: str, suffix: str
) -> None:
    path = tmp_path / f"copy{suffix}"
    copied(film(name), path)
    shown_s = {source: float(probe(source, "-show_format")["format"]["duration"]) for source in (film(name), path)}
    assert shown_s[path] == pytest.approx(shown_s[film(name)], abs=0.005)
    assert len(read_film(path).times_s) == 5


@pytest.mark.parametrize("suffix", TICK_S)
def test_sound_continues_where_a_broadcast_resets_its_clock(
    tmp_path: Path, film: Callable[[str], Path], suffix: str
) -> None:
    twice, path = tmp_path / "twice.ts", tmp_path / f"copy{suffix}"
    twice.write_bytes(film("h264.ts").read_bytes() * 2)
    assert copied(twice, path) is None
    once, result = read_source(film("h264.ts")), read_film(path)
    assert result.pictures == 2 * once.pictures and result.times_s[-1] == pytest.approx(99 / 25)
    assert result.sounds[0][1] == pytest.approx(4.0, abs=0.05)


def test_run_keeps_the_sound_of_a_film(tmp_path: Path, film: Callable[[str], Path]) -> None:
    path = tmp_path / "copy.mp4"
    done = veneer("run", "--source", film("long_sound.mp4"), "--sink", f"file:{path}", "--look", "none")
    assert done.returncode == 0, done.stderr
    assert read_film(path).sounds[0][1] == pytest.approx(LONG_S, abs=0.025)


def test_part_of_a_film_keeps_its_part_of_the_sound(tmp_path: Path, film: Callable[[str], Path]) -> None:
    path, options = tmp_path / "copy.mp4", ("--look", "none", "--frames", 10)
    done = veneer("run", "--source", film("long_sound.mp4"), "--sink", f"file:{path}", *options)
    assert done.returncode == 0, done.stderr
    assert read_film(path).sounds[0][1] == pytest.approx(10 / 25, abs=0.025)


def _tracks(path: Path) -> list[tuple[str, str, str]]:
    """Return type, codec and language of each track with sound or subtitles."""
    streams = [s for s in probe(path, "-show_streams")["streams"] if s["codec_type"] in ("audio", "subtitle")]
    languages = [stream["tags"].get("language", "").replace("und", "") for stream in streams]
    return [(s["codec_type"], s["codec_name"], language) for s, language in zip(streams, languages, strict=True)]


def _tags(found: dict[str, Any]) -> dict[str, str]:
    return {key.lower(): value for key, value in found["format"]["tags"].items()}


@pytest.mark.parametrize("suffix", TICK_S)
@pytest.mark.parametrize("source_suffix", TICK_S)
def test_tracks_chapters_and_metadata_are_kept(
    tmp_path: Path, film: Callable[[str], Path], source_suffix: str, suffix: str
) -> None:
    source, path = film(f"tracks{source_suffix}"), tmp_path / f"copy{suffix}"
    warning = copied(source, path)
    text = "subrip" if suffix == ".mkv" else "mov_text"
    german = "ger" if suffix == ".mov" else "deu"
    german = "" if source_suffix == ".mov" else german  # the program did not write it into the source
    assert _tracks(path) == [("audio", "aac", "eng"), ("audio", "ac3", german), ("subtitle", text, "fra")]
    sounds = probe(path, "-select_streams", "a", "-show_streams")["streams"]
    assert [sound["disposition"]["default"] for sound in sounds] == [0, 1]
    found = probe(path, "-show_chapters", "-show_format")
    chapters = [(float(c["start_time"]), float(c["end_time"]), c["tags"]["title"]) for c in found["chapters"]]
    assert chapters == [(0.0, 1.0, "First"), (1.0, 2.0, "Second")]
    tags = _tags(found)
    assert (tags["title"], tags["date"], tags["location"]) == ("A film", "2024-05-06", "+48.1374+011.5755/")
    assert tags["creation_time"] == "2024-05-06T07:08:09.000000Z"
    notes = ["srt subtitles become mov_text"] if (source_suffix, text) == (".mkv", "mov_text") else []
    notes += ["mov_text subtitles become subrip"] if source_suffix != ".mkv" and suffix == ".mkv" else []
    notes += ["not kept: CAMERA"] if source_suffix == ".mkv" and suffix != ".mkv" else []
    assert warning == (f"{source.name}: {'; '.join(notes)}" if notes else None)


@pytest.mark.parametrize("suffix", TICK_S)
def test_subtitles_keep_their_text_and_times(tmp_path: Path, film: Callable[[str], Path], suffix: str) -> None:
    source, path = film("tracks.mp4"), tmp_path / f"copy{suffix}"
    copied(source, path)
    texts = []
    for film_path in (source, path):
        text = tmp_path / f"{film_path.name}.srt"
        ffmpeg("-i", film_path, "-map", "0:s:0", text)
        texts.append(text.read_text(encoding="utf-8"))
    assert "Good <i>morning</i>" in texts[0] and texts[1] == texts[0]


def test_what_a_container_cannot_hold_is_named(tmp_path: Path, film: Callable[[str], Path]) -> None:
    font, attached = tmp_path / "a.ttf", tmp_path / "attached.mkv"
    font.write_bytes(b"a font")
    options = ("-map", 0, "-c", "copy", "-attach", font, "-metadata:s:t", "mimetype=font/ttf")
    ffmpeg("-i", film("tracks.mkv"), *options, attached)
    assert copied(attached, tmp_path / "copy.mkv") is None
    kinds = [stream["codec_type"] for stream in probe(tmp_path / "copy.mkv", "-show_streams")["streams"]]
    assert kinds.count("attachment") == 1
    says = "attached.mkv: srt subtitles become mov_text; not kept: a.ttf attachment track, CAMERA"
    assert copied(attached, tmp_path / "copy.mp4") == says


@pytest.mark.parametrize("codec", ["ass", "webvtt"])
def test_text_subtitles_of_matroska_are_copied(tmp_path: Path, film: Callable[[str], Path], codec: str) -> None:
    source = tmp_path / "source.mkv"
    ffmpeg("-i", film("tracks.mkv"), "-map", 0, "-c", "copy", "-c:s", codec, source)
    assert copied(source, tmp_path / "copy.mkv") is None
    assert _tracks(tmp_path / "copy.mkv")[-1] == ("subtitle", codec, "fra")
    assert "subtitles become mov_text" in str(copied(source, tmp_path / "copy.mp4"))


@pytest.mark.parametrize(("codec", "name"), [("copy", "pgssub"), ("dvdsub", "dvdsub"), ("dvbsub", "dvbsub")])
def test_subtitles_made_of_pictures_need_matroska(
    tmp_path: Path, film: Callable[[str], Path], codec: str, name: str
) -> None:
    source, pictures = tmp_path / "source.mkv", tmp_path / "subtitles.sup"
    pictures.write_bytes(picture_subtitles())
    ffmpeg("-i", film("b_frames.mp4"), "-i", pictures, "-map", 0, "-map", 1, "-c", "copy", "-c:s", codec, source)
    assert copied(source, tmp_path / "copy.mkv") is None
    packets = [probe(path, "-select_streams", "s", "-show_packets") for path in (source, tmp_path / "copy.mkv")]
    first = [(found["packets"][0]["pts_time"], found["packets"][0]["size"]) for found in packets]
    assert first[0] == first[1]
    for suffix in (".mp4", ".mov"):
        assert copied(source, tmp_path / f"copy{suffix}") == f"source.mkv: not kept: {name} subtitle track"
        assert read_film(tmp_path / f"copy{suffix}").pictures == 50


def test_ninth_channel_that_aac_lacks_is_named(tmp_path: Path) -> None:
    source, tones = tmp_path / "source.mkv", "|".join(f"sin({number + 1}00*2*PI*t)" for number in range(10))
    pictures = ("-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25:duration=1")
    ffmpeg(*pictures, "-f", "lavfi", "-i", f"aevalsrc={tones}:d=1", "-c:v", "libx264", "-c:a", "pcm_s16le", source)
    assert copied(source, tmp_path / "copy.mp4") == "source.mkv: pcm_s16le sound becomes AAC, 8 of its 10 channels"
    assert copied(source, tmp_path / "copy.mkv") is None
    sounds = [probe(tmp_path / f"copy{suffix}", "-select_streams", "a", "-show_streams") for suffix in (".mp4", ".mkv")]
    assert [sound["streams"][0]["channels"] for sound in sounds] == [8, 10]


def test_cover_art_is_named(tmp_path: Path, film: Callable[[str], Path]) -> None:
    cover, source = tmp_path / "cover.png", tmp_path / "source.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-frames:v", 1, cover)
    options = ("-map", 0, "-map", 1, "-c", "copy", "-disposition:v:1", "attached_pic")
    ffmpeg("-i", film("b_frames.mp4"), "-i", cover, *options, source)
    assert copied(source, tmp_path / "copy.mp4") == "source.mp4: not kept: cover art"
    assert read_film(tmp_path / "copy.mp4").pictures == 50


def test_track_of_an_unknown_codec_is_named(tmp_path: Path, film: Callable[[str], Path]) -> None:
    strange = tmp_path / "strange.mkv"
    strange.write_bytes(film("tracks.mkv").read_bytes().replace(b"A_AC3", b"A_XYZ", 1))
    assert copied(strange, tmp_path / "copy.mkv") == "strange.mkv: not kept: unknown audio track"
    assert [track[:2] for track in _tracks(tmp_path / "copy.mkv")] == [("audio", "aac"), ("subtitle", "subrip")]


def test_damaged_ac3_track_does_not_end_the_recording(tmp_path: Path, film: Callable[[str], Path]) -> None:
    damaged = tmp_path / "damaged.mkv"
    damaged.write_bytes(film("tracks.mkv").read_bytes().replace(b"\x0b\x77", b"\0\0"))
    says = "damaged.mkv: srt subtitles become mov_text; not kept: ac3 audio track, CAMERA"
    assert copied(damaged, tmp_path / "copy.mp4") == says
    assert read_film(tmp_path / "copy.mp4").pictures == 50


@pytest.mark.parametrize(("suffix", "lost"), [(".mov", None), (".mp4", "com.apple.quicktime.make"), (".mkv", None)])
def test_metadata_of_phones_is_kept(tmp_path: Path, film: Callable[[str], Path], suffix: str, lost: str | None) -> None:
    phone = tmp_path / "phone.mov"
    apple = {"make": "Apple", "location.ISO6709": "+48.1374+011.5755/", "creationdate": "2024-05-06T09:08:09+0200"}
    tags = [part for key, value in apple.items() for part in ("-metadata", f"com.apple.quicktime.{key}={value}")]
    ffmpeg("-i", film("b_frames.mp4"), "-c", "copy", "-movflags", "use_metadata_tags", *tags, phone)
    warning = copied(phone, tmp_path / f"copy{suffix}")
    kept = _tags(probe(tmp_path / f"copy{suffix}", "-show_format"))
    assert (kept["location"], kept["date"]) == (apple["location.ISO6709"], apple["creationdate"])
    assert warning == (None if lost is None else f"phone.mov: not kept: {lost}")


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_timecode_is_kept(tmp_path: Path, film: Callable[[str], Path], suffix: str) -> None:
    copied(film("timecode.mov"), tmp_path / f"copy{suffix}")
    streams = probe(tmp_path / f"copy{suffix}", "-show_streams")["streams"]
    assert streams[0]["tags"]["timecode"] == "01:02:03:04"


def test_unlabelled_six_channels_stay_six(tmp_path: Path, film: Callable[[str], Path]) -> None:
    assert (
        copied(film("unlabelled_six.mkv"), tmp_path / "copy.mp4") == "unlabelled_six.mkv: pcm_s16le sound becomes AAC"
    )
    (sound,) = [s for s in probe(tmp_path / "copy.mp4", "-show_streams")["streams"] if s["codec_type"] == "audio"]
    assert (sound["channels"], sound["channel_layout"]) == (6, "5.1")
