"""`veneer apply --jobs N`: the same bytes as one process, and a process that dies costs one file at most."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.apply_parts import environment, files, film, one_line, started, veneer
from support.cli_parts import HANG_S, until

from engines.looks_file import user_file
from live.batch.job_count import JobCount
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8


def test_two_jobs_write_the_same_bytes_as_one(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    for index in range(4):
        write_picture(tmp_path / "in" / "sub" / f"{index}.png", portrait_bgr[index * 4 :])
    film(tmp_path / "in" / "a.mp4", 12)
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    for jobs in (1, 2):
        done = veneer("apply", tmp_path / "in", tmp_path / f"out{jobs}", "--look", "soft", "--jobs", jobs)
        assert done.returncode == 2 and "5 of 6 files done" in done.stderr and "not done: bad.png" in done.stderr
    names = files(tmp_path / "out1")
    assert len(names) == 5 and files(tmp_path / "out2") == names
    for name in names:
        assert (tmp_path / "out2" / name).read_bytes() == (tmp_path / "out1" / name).read_bytes(), name
    assert sorted(path.name for path in tmp_path.iterdir() if "parts" in path.name) == []


def test_jobs_see_the_settings_of_their_own_run(
    tmp_path: Path, portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    write_picture(tmp_path / "in" / "a.png", portrait_bgr)
    for name, color in (("dusk", "#6e0f1f"), ("dawn", "#e08090")):
        monkeypatch.setenv("VENEER_HOME", str(tmp_path / name))
        user_file().parent.mkdir(parents=True)
        layer = f'{{ style = "shade", color = "{color}", finish = "matte" }}'
        user_file().write_text(f"[looks.{name}]\nlayers = [{layer}]\n")
        done = veneer("apply", tmp_path / "in", tmp_path / f"{name}-out", "--look", name, "--jobs", "2")
        assert done.returncode == 0 and "1 of 1 files done" in done.stderr, done.stderr
    dusk, dawn = ((tmp_path / f"{name}-out" / "a.png").read_bytes() for name in ("dusk", "dawn"))
    assert dusk != dawn


def test_killed_run_continues_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "0.mp4", 3)
    film(tmp_path / "in" / "long.mp4", 3000)
    arguments = ("apply", tmp_path / "in", tmp_path / "out", "--look", "none", "--jobs", "2")
    manifest = tmp_path / "out.veneer.jsonl"
    with started(*arguments) as run:
        until(lambda: manifest.exists() and manifest.stat().st_size > 50, "the first file is done")
        run.kill()
        run.communicate(timeout=HANG_S)
    before = (tmp_path / "out" / "0.mp4").stat().st_mtime_ns
    assert files(tmp_path / "out") == ["0.mp4"], "the other one is not complete, and not there"
    done = veneer(*arguments)
    assert done.returncode == 0 and "1 of 2 files done" in done.stderr, done.stderr
    assert files(tmp_path / "out") == ["0.mp4", "long.mp4"]
    assert (tmp_path / "out" / "0.mp4").stat().st_mtime_ns == before


def test_file_that_kills_every_process_is_quarantined(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "site").mkdir()
    for name in ("a", "poison"):
        film(tmp_path / "in" / f"{name}.mp4", 3)
    (tmp_path / "site" / "sitecustomize.py").write_text(
        "import os, pathlib\nreal = pathlib.Path.open\n"
        "def poisoned(self, *given, **more):\n"
        "    if self.name == 'poison.mp4':\n        os.abort()\n"
        "    return real(self, *given, **more)\npathlib.Path.open = poisoned\n"
    )
    env = environment()
    env["PYTHONPATH"] = os.pathsep.join((str(tmp_path / "site"), env["PYTHONPATH"]))
    arguments = ["apply", str(tmp_path / "in"), str(tmp_path / "out"), "--look", "none", "--jobs", "2"]
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-m", "live", *arguments], env=env, capture_output=True, text=True, timeout=HANG_S
        )
        assert done.returncode == 2 and "poison.mp4: the process that did it ended with signal 6" in done.stderr
        assert "quarantined after 3 tries" in done.stderr
    assert files(tmp_path / "out") == ["a.mp4"]
    lines = [json.loads(line) for line in (tmp_path / "out.veneer.jsonl").read_bytes().splitlines()]
    assert len(lines) == 2, "the second run did not try it again"


def test_options_of_folders_are_refused_for_a_file(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", 2)
    for given in (("--again",),):
        line = one_line(veneer("apply", tmp_path / "a.mp4", tmp_path / "b.mp4", *given))
        assert f"{given[0]}" in line and "it is for folders, and a.mp4 is a file - leave it out" in line


def test_wrong_number_of_jobs_is_one_line(tmp_path: Path) -> None:
    assert "--jobs 0: not a number of processes" in one_line(veneer("apply", "a", "b", "--jobs", "0"))


@pytest.mark.parametrize(("rates", "found"), [((10, 19, 20), 2), ((10, 10), 1), ((10, 20, 30, 40), 4)])
def test_auto_takes_the_last_job_that_helped(rates: tuple[int, ...], found: int) -> None:
    count, now_s = JobCount(None, 4), 0.0
    for _ in range(400):
        wanted = count.wanted(now_s)
        count.finished(rates[min(wanted, len(rates)) - 1])
        now_s += 1.0
    assert count.wanted(now_s) == found
