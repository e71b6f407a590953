"""Long films are done in segments by several processes: the seams are not seen, and nothing of the film is lost."""

from __future__ import annotations

import itertools
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from support.apply_parts import files, one_line, veneer
from support.video_files import write_video

from live.batch import divided_films
from live.batch.kept_segments import KeptSegments
from live.batch.manifest import Record
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame, ImageU8
from live.recording.encoders import EncoderSettings
from live.sinks.seam_frames import SeamFrames, write_seam
from live.sources import segment_source

FRAMES = 120  # 4.8 s, with a key frame every 12


@pytest.fixture(autouse=True)
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divided_films, "SEGMENT_S", 1.5)
    monkeypatch.setattr(segment_source, "OVERLAP_S", 1.0)


def talking(portrait_bgr: ImageU8, index: int) -> ImageU8:
    """The portrait, smaller and moving slowly."""
    at = abs(index % 64 - 32)
    return np.ascontiguousarray(portrait_bgr[at : at + 400 : 2, at : at + 440 : 2])


def tracks(path: Path) -> dict[str, list[Any]]:
    """Time, duration and bytes of the sound's packets; times of the pictures; the pictures."""
    found: dict[str, list[Any]] = {"sound": [], "times": [], "pictures": []}
    with av.open(str(path)) as container:
        for packet in container.demux(*container.streams):
            if packet.stream.type == "audio" and packet.size:
                found["sound"].append((packet.pts, packet.duration, bytes(packet)))
            elif packet.stream.type == "video":
                found["times"] += [(packet.pts, packet.duration)] if packet.size else []
                found["pictures"] += [frame.to_ndarray(format="bgr24").astype(int) for frame in packet.decode()]
    return found


def both(folder: Path, source: Path, *more: object, suffix: str = ".mp4") -> tuple[dict[str, Any], dict[str, Any]]:
    """Do a film by one process and in segments by two; return the tracks of both results."""
    results = []
    for jobs in (1, 2):
        output = folder / f"out{jobs}{suffix}"
        done = veneer("apply", source, output, "--quality", "0", "--jobs", jobs, *more)
        assert done.returncode == 0, done.stderr
        results.append(tracks(output))
    assert [name for name in files(folder) if "parts" in name] == []
    return results[0], results[1]


def test_unpainted_segments_are_the_film_bit_for_bit(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    pictures = [talking(portrait_bgr, index) for index in range(FRAMES)]
    stamps_ms = [40 * index + index % 3 for index in range(FRAMES)]  # uneven, as those of phones
    write_video(tmp_path / "film.mp4", pictures, stamps_ms=stamps_ms, sound_s=5.1)
    whole, joined = both(tmp_path, tmp_path / "film.mp4", "--look", "none")
    assert len(whole["times"]) == FRAMES and joined["times"] == whole["times"]
    assert whole["sound"] and joined["sound"] == whole["sound"]
    assert all(np.array_equal(*pair) for pair in zip(whole["pictures"], joined["pictures"], strict=True))


def test_seams_of_a_painted_film_are_not_seen(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_video(tmp_path / "film.mp4", [talking(portrait_bgr, index) for index in range(FRAMES)], sound_s=5.1)
    whole, joined = both(tmp_path, tmp_path / "film.mp4", "--look", "matte-red", suffix=".mkv")
    assert joined["times"] == whole["times"] and joined["sound"] == whole["sound"] != []
    pairs = list(zip(whole["pictures"], joined["pictures"], strict=True))
    differences = [float(np.abs(one - other).mean()) for one, other in pairs]
    steps = [float(np.abs(after - before).mean()) for before, after in itertools.pairwise(joined["pictures"])]
    assert max(differences) < 0.02 < min(steps), "two frames that follow each other differ by more"


def test_segments_that_differ_fade_into_each_other(tmp_path: Path) -> None:
    files_of = []
    for name, level in (("before", 100), ("after", 160)):
        frames = SeamFrames()
        for index in range(12):
            frames.add(Frame(np.full((48, 64, 3), level, np.uint8), index, 0.0, 10 + index / 25), 25.0)
        frames.save(tmp_path / f"{name}.npz")
        files_of.append(tmp_path / f"{name}.npz")
    write_seam((files_of[0], files_of[1]), tmp_path / "seam.mp4", EncoderSettings(quality=0))
    found = tracks(tmp_path / "seam.mp4")
    levels = [100.0, *(float(picture.mean()) for picture in found["pictures"]), 160.0]
    steps = [after - before for before, after in itertools.pairwise(levels)]
    assert len(steps) == 13 and min(steps) > 2 and max(steps) < 7, steps


def test_face_lost_long_before_a_seam_stays_hidden_after_it(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    pictures = [talking(portrait_bgr, index) for index in range(30)]
    pictures += [np.full_like(pictures[0], 40 + index % 5) for index in range(90)]
    write_video(tmp_path / "film.mp4", pictures)
    (tmp_path / "looks.toml").write_text(
        '[looks.held]\nlayers = [{ style = "shade", color = "#a8142b", finish = "matte" }]\n'
        'no_face = "hold"\nhold_s = inf\n'
    )
    given = ("--look", "held", "--looks-file", tmp_path / "looks.toml")
    whole, joined = both(tmp_path, tmp_path / "film.mp4", *given)
    for one, other in zip(whole["pictures"][30:], joined["pictures"][30:], strict=True):
        assert np.abs(one - whole["pictures"][30]).max() == 0, "the last drawing is held to the end"
        assert np.abs(one - other).mean() < 0.5


def test_interrupted_film_goes_on_with_its_segments(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    film = write_video(tmp_path / "film.mp4", [talking(portrait_bgr, index) for index in range(FRAMES)], sound_s=5.1)
    arguments = ("apply", film, tmp_path / "out.mp4", "--quality", "0", "--look", "none")
    keep, kept = KeptSegments.keep_record, list[Path]()

    def keep_two(self: KeptSegments, target: Path, record: Record) -> None:
        keep(self, target, record)
        kept.append(target)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(KeptSegments, "keep_record", keep_two)
        done = veneer(*arguments, "--jobs", "2")
    assert done.returncode == 130 and "segments of films that are finished and kept: 2" in done.stderr, done.stderr
    assert files(tmp_path / "out.mp4.veneer.parts") and not (tmp_path / "out.mp4").exists()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = kept[0].parent.parent  # of the run: it is that of a process which was killed
    folder.rename(folder.with_name(f"{platform.node()}-{ended.pid}"))
    done = veneer(*arguments, "--jobs", "3")
    assert done.returncode == 0 and "film.mp4: 2 of 4 segments were done before" in done.stderr, done.stderr
    assert veneer(*arguments[:2], tmp_path / "one.mp4", *arguments[3:]).returncode == 0
    joined, whole = tracks(tmp_path / "out.mp4"), tracks(tmp_path / "one.mp4")
    assert joined["times"] == whole["times"] and joined["sound"] == whole["sound"] != []
    assert all(np.array_equal(*pair) for pair in zip(whole["pictures"], joined["pictures"], strict=True))
    assert files(tmp_path) == ["film.mp4", "one.mp4", "out.mp4"]


def test_film_that_breaks_off_is_done_as_far_as_it_goes(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    whole = write_video(tmp_path / "film.mkv", [talking(portrait_bgr, index) for index in range(FRAMES)])
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    done = veneer("apply", whole, tmp_path / "out.mp4", "--look", "none", "--jobs", "2")
    assert done.returncode == 2 and "done in part: film.mkv" in done.stderr, done.stderr
    assert 30 < len(tracks(tmp_path / "out.mp4")["times"]) < FRAMES


def test_large_film_of_a_folder_is_divided_and_small_ones_not(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "long.mp4", [talking(portrait_bgr, index) for index in range(FRAMES)])
    write_video(tmp_path / "in" / "short.mp4", [talking(portrait_bgr, 0)] * 20)
    report = tmp_path / "report.json"
    arguments = ("apply", tmp_path / "in", tmp_path / "out", "--look", "none", "--jobs", "2", "--report", report)
    done = veneer(*arguments)
    assert done.returncode == 0 and "2 of 2 files done" in done.stderr, done.stderr
    assert files(tmp_path / "out") == ["long.mp4", "short.mp4"]
    assert '"frames": 140,' in report.read_text()
    assert (tmp_path / "out.veneer.jsonl").read_bytes().count(b"\n") == 2, "one line a film"
    assert "0 of 2 files done" in veneer(*arguments).stderr


def test_options_of_several_files_are_refused_for_a_picture(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    line = one_line(veneer("apply", tmp_path / "a.png", tmp_path / "b.png", "--jobs", "2"))
    assert "--jobs 2: it is for films, and a.png is a picture" in line
