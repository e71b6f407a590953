"""`veneer apply FOLDER OUT` keeps a manifest: a second run does what is missing or changed, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.apply_parts import files, film, one_line, veneer

from live.batch.manifest import Manifest, Record
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8


@pytest.fixture
def folder(tmp_path: Path, portrait_bgr: ImageU8) -> Path:
    """A folder `in` with two pictures and a film, one of them in a folder with a name beyond ASCII."""
    (tmp_path / "in" / "Überraschung 顔").mkdir(parents=True)
    write_picture(tmp_path / "in" / "a.png", portrait_bgr)
    write_picture(tmp_path / "in" / "Überraschung 顔" / 'ß "q".png', portrait_bgr)
    film(tmp_path / "in" / "c.mp4", 4)
    return tmp_path


def apply(folder: Path, *more: object) -> str:
    done = veneer("apply", folder / "in", folder / "out", "--look", "none", *more)
    assert done.returncode == 0, done.stderr
    return done.stderr


def times(folder: Path) -> dict[str, int]:
    return {name: (folder / "out" / name).stat().st_mtime_ns for name in files(folder / "out")}


def test_second_run_does_nothing(folder: Path) -> None:
    assert "3 of 3 files done" in apply(folder)
    before = times(folder)
    assert len(before) == 3 and 'Überraschung 顔/ß "q".png' in before
    assert "0 of 3 files done" in (text := apply(folder)) and "3 were done before and have not changed" in text
    assert times(folder) == before
    assert "3 of 3 files done" in (text := apply(folder, "--again")) and "had changed" not in text
    assert all(times(folder)[name] > before[name] for name in before)


def test_only_what_is_missing_or_changed_is_done(folder: Path, portrait_bgr: ImageU8) -> None:
    apply(folder)
    before = times(folder)
    (folder / "out" / "c.mp4").unlink()
    half = folder / "out" / 'Überraschung 顔/ß "q".png'
    half.write_bytes(half.read_bytes()[:1000])
    assert "2 of 3 files done" in apply(folder)
    assert half.stat().st_size > 1000 and times(folder)["a.png"] == before["a.png"]
    write_picture(folder / "in" / "a.png", portrait_bgr[:400])
    assert "1 of 3 files done" in (text := apply(folder)) and "again, as file, look or result had changed" in text
    assert "3 of 3 files done" in apply(folder, "--strength", "0.5"), "another strength is another result"


def test_record_says_what_was_done(folder: Path) -> None:
    apply(folder, "--look", "matte-red")
    lines = [json.loads(line) for line in (folder / "out.veneer.jsonl").read_bytes().splitlines()]
    film_line = next(line for line in lines if line["path"] == "c.mp4")
    assert (film_line["state"], film_line["frames"], film_line["output"]) == ("done", 4, "c.mp4")
    stat = (folder / "in" / "c.mp4").stat()
    assert film_line["input"] == [stat.st_size, stat.st_mtime_ns]
    assert set(film_line["recipe"]) == {"look", "weights", "veneer", "openvino"} and film_line["seconds"] > 0


def test_line_cut_off_by_a_crash_is_no_record(folder: Path) -> None:
    apply(folder)
    manifest = folder / "out.veneer.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-60])
    assert "1 of 3 files done" in apply(folder)
    assert "0 of 3 files done" in apply(folder)


def test_failed_file_is_tried_again(folder: Path) -> None:
    (folder / "in" / "Überraschung 顔" / "a.png").write_bytes(b"no picture")
    for _ in range(2):
        done = veneer("apply", folder / "in", folder / "out", "--look", "none")
        assert done.returncode == 2 and "not done: Überraschung 顔/a.png: " in done.stderr
    assert "0 of 4 files done" in done.stderr


def test_output_inside_the_input_is_refused(folder: Path) -> None:
    assert "it lies inside the input" in one_line(veneer("apply", folder / "in", folder / "in" / "out"))
    assert files(folder / "in") == ["a.png", "c.mp4", 'Überraschung 顔/ß "q".png']


def test_links_to_folders_are_followed_but_not_in_circles(folder: Path) -> None:
    shutil.move(folder / "in" / "Überraschung 顔", folder / "elsewhere")
    (folder / "in" / "linked").symlink_to(folder / "elsewhere")
    (folder / "in" / "sub").mkdir()
    (folder / "in" / "sub" / "up").symlink_to(folder / "in")
    (folder / "elsewhere" / "across").symlink_to(folder / "in" / "sub")
    done = veneer("apply", folder / "in", folder / "out", "--look", "none")
    assert done.returncode == 2 and "sub/up: a link to a folder that it lies in" in done.stderr
    assert files(folder / "out") == ["a.png", "c.mp4", 'linked/ß "q".png']


def test_the_last_record_of_a_file_counts(tmp_path: Path) -> None:
    manifest = Manifest(tmp_path / "m.jsonl")
    for state in ("failed", "done"):
        manifest.append(Record("x\n\"'\udcff.png", state, input=(1, 2)))
    other = Manifest(tmp_path / "m.jsonl")
    found = other.get("x\n\"'\udcff.png")
    assert len(other) == 1 and found is not None and (found.state, found.input) == ("done", (1, 2))
    assert other.get("y.png") is None


def test_report_and_log_say_what_was_done(folder: Path) -> None:
    (folder / "in" / "d.png").write_bytes(b"no picture")
    report, prometheus = folder / "report.json", folder / "veneer.prom"
    options = ("--report", report, "--prometheus", prometheus, "--log", "json")
    done = veneer("apply", folder / "in", folder / "out", "--look", "none", *options)
    assert done.returncode == 2
    events = [json.loads(line) for line in done.stderr.splitlines()]
    assert sorted((one["path"], one["state"]) for one in events if one["event"] == "file") == [
        ("a.png", "done"),
        ("c.mp4", "done"),
        ("d.png", "failed"),
        ('Überraschung 顔/ß "q".png', "done"),
    ]
    assert any("3 of 4 files done" in one.get("text", "") for one in events)
    found = json.loads(report.read_text())
    assert (found["files"]["done"], found["files"]["failed"], found["frames"]) == (3, 1, 6)
    assert {"read", "paint", "write", "track", "send"} <= set(found["stages_s"])
    assert 'veneer_apply_files{state="done"} 3' in prometheus.read_text().splitlines()
