"""`veneer apply`: existing files are kept, errors are reported, exit codes."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.apply_parts import avi, files, film, one_line, started, veneer
from support.cli_parts import HANG_S, until
from support.ffmpeg_program import ffmpeg
from support.sink_clips import read_pictures

from engines.errors import OptionsError, SourceError
from live.options import ApplyOptions
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import Frame, ImageU8
from live.recording import file_apply
from live.render.painter import Painter
from live.sinks.video_file import VideoFileSink
from live.tracking.face_mesh import FaceMeshTracker
from live.tracking.person_segmenter import PersonSegmenter
from tests.fuzz.mutated_files import write_mutated_files


@pytest.mark.parametrize("output", [".", "a.png", "link.png"])
def test_the_input_is_never_overwritten(tmp_path: Path, portrait_bgr: ImageU8, output: str) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    if output == "link.png":
        (tmp_path / "link.png").symlink_to("a.png")
    before = (tmp_path / "a.png").read_bytes()
    assert "it is the input itself" in one_line(veneer("apply", "a.png", output, cwd=tmp_path))
    assert (tmp_path / "a.png").read_bytes() == before


def test_nested_folders_do_not_overwrite_inputs(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    inner = tmp_path / "nest" / "sub" / "sub"
    inner.mkdir(parents=True)
    for path in (inner / "a.png", inner.parent / "a.png", inner.parent / "b.png"):
        write_picture(path, portrait_bgr)
    before = (inner.parent / "a.png").read_bytes()
    done = veneer("apply", tmp_path / "nest" / "sub", tmp_path / "nest")
    assert done.returncode == 2
    assert "2 of 3 files done" in done.stderr and "would replace the input" in done.stderr, done.stderr
    assert (inner.parent / "a.png").read_bytes() == before
    assert files(tmp_path / "nest") == ["a.png", "b.png", "sub/a.png", "sub/b.png", "sub/sub/a.png"]


def test_videos_with_equal_stems_get_different_outputs(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    avi(source / "clip.avi", 3)
    film(source / "clip.mp4", 5)
    avi(source / "other.avi", 4)
    done = veneer("apply", source, tmp_path / "out", "--look", "none")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out") == ["clip.avi.mp4", "clip.mp4", "other.mp4"]
    lengths = [len(read_pictures(tmp_path / "out" / name)[0]) for name in files(tmp_path / "out")]
    assert lengths == [3, 5, 4]


def test_films_of_camcorders_and_old_phones_are_done(tmp_path: Path) -> None:
    codecs = {
        "00001.MTS": "libx264",
        "disc.vob": "mpeg2video",
        "old.3gp": "mpeg4",
        "own.ogv": "libtheora",
        "web.flv": "flv",
    }
    (tmp_path / "in").mkdir()
    for name, codec in codecs.items():
        picture = ("-f", "lavfi", "-i", "testsrc2=size=176x144:rate=25:duration=0.2", "-c:v", codec)
        ffmpeg(*picture, *(("-f", "mpegts") if name.endswith("MTS") else ()), tmp_path / "in" / name)
    done = veneer("apply", tmp_path / "in", tmp_path / "out", "--look", "none")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out") == [f"{Path(name).stem}.mp4" for name in codecs]
    assert all(len(read_pictures(path)[0]) == 5 for path in (tmp_path / "out").iterdir())


def test_interrupted_video_keeps_old_and_partial_file(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    film(source / "a.mp4", 4000, size_wh=(320, 240))
    film(source / "b.mp4", 5)
    out = tmp_path / "out"
    out.mkdir()
    before = film(out / "a.mp4", 3).read_bytes()
    part = out / "a.part.mp4"
    with started("apply", source, out, "--look", "none") as run:
        until(lambda: part.exists() and part.stat().st_size > 5000, "part of the video")
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=HANG_S)
    assert run.returncode == 130, stderr
    assert "a.part.mp4 holds them" in stderr and "Traceback" not in stderr
    assert "0 of 2 files done" in stderr
    assert (out / "a.mp4").read_bytes() == before
    assert 1 < len(read_pictures(part)[0]) < 4000
    assert files(out) == ["a.mp4", "a.part.mp4"], "the batch was interrupted too"


def test_finished_video_replaces_the_old_one(tmp_path: Path) -> None:
    film(tmp_path / "in.mp4", 6)
    film(tmp_path / "out.mp4", 3)
    (tmp_path / "out.part.mp4").write_bytes(b"of another day")
    done = veneer("apply", tmp_path / "in.mp4", tmp_path / "out.mp4", "--look", "none")
    assert done.returncode == 0, done.stderr
    assert len(read_pictures(tmp_path / "out.mp4")[0]) == 6
    assert (tmp_path / "out.part.mp4").read_bytes() == b"of another day"
    assert files(tmp_path) == ["in.mp4", "out.mp4", "out.part.mp4"]


@pytest.mark.parametrize("in_folder", [False, True])
def test_truncated_video_is_converted_with_exit_code_2(tmp_path: Path, in_folder: bool) -> None:
    source, sink = tmp_path / "in", VideoFileSink(tmp_path / "whole.mkv")
    source.mkdir()
    noise = np.random.default_rng(0)
    sink.open(size_wh=(160, 120), fps=25)
    for index in range(60):
        sink.send(Frame(noise.integers(0, 256, (120, 160, 3), dtype=np.uint8), index, 0.0, index / 25))
    sink.close()
    data = (tmp_path / "whole.mkv").read_bytes()
    (source / "cut.mkv").write_bytes(data[: len(data) // 2])
    out = tmp_path / "out" / "cut.mkv"
    out.parent.mkdir()
    pair = (source, out.parent) if in_folder else (source / "cut.mkv", out)
    done = veneer("apply", *pair, "--look", "none")
    assert done.returncode == 2, done.stderr
    frames = len(read_pictures(out)[0])
    assert 10 < frames < 60
    assert f"cut.mkv: the file is truncated; frames that were read: {frames}" in done.stderr
    assert done.stderr.count("frames that were read") == 1, "one line for one file"


def test_picture_is_recognised_by_content(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    (tmp_path / "a.png").rename(tmp_path / "a.dat")
    done = veneer("apply", tmp_path / "a.dat", tmp_path / "b.png", "--look", "matte-red")
    assert done.returncode == 0, done.stderr
    assert (read_picture(tmp_path / "b.png") != portrait_bgr).any()


def test_broken_links_are_named_and_the_batch_continues(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_picture(source / "a.png", portrait_bgr)
    (source / "loop.png").symlink_to("loop.png")
    (source / "gone.png").symlink_to("nowhere.png")
    if sys.platform != "win32":
        os.mkfifo(source / "pipe.mp4")
    done = veneer("apply", source, tmp_path / "out")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "1 of " in done.stderr and "loop.png" in done.stderr and "gone.png" in done.stderr
    assert sys.platform == "win32" or "pipe.mp4: a pipe or a device, and no file" in done.stderr
    assert files(tmp_path / "out") == ["a.png"]


def test_unreadable_file_is_named_and_the_batch_continues(
    tmp_path: Path, portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a.png", "locked.png"):
        write_picture(source / name, portrait_bgr)
    (source / "locked.png").chmod(0)
    real = Path.open

    def deny(self: Path, *args: Any, **kwargs: Any) -> Any:  # permissions do not apply to root
        if self.name == "locked.png":
            raise PermissionError(13, "Permission denied")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", deny)
    assert file_apply.apply_to(source, tmp_path / "out", ApplyOptions(look="none")) == 2
    assert "locked.png" in capsys.readouterr().err
    assert files(tmp_path / "out") == ["a.png"]


@pytest.mark.parametrize("part", [Painter, PersonSegmenter, FaceMeshTracker])
def test_library_error_names_the_file_and_the_batch_continues(
    tmp_path: Path, portrait_bgr: ImageU8, part: type, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in "ab":
        write_picture(source / f"{name}.png", portrait_bgr)
    call = {Painter: "paint", PersonSegmenter: "mask", FaceMeshTracker: "track"}[part]
    real, calls = getattr(part, call), []

    def breaks_once(self: Any, *given: Any, **more: Any) -> Any:
        calls.append(call)
        if len(calls) == 1:
            raise RuntimeError("graph is broken")
        return real(self, *given, **more)

    monkeypatch.setattr(part, call, breaks_once)
    assert file_apply.apply_to(source, out, ApplyOptions(look="toon")) == 2
    assert "not done: a.png: look toon: RuntimeError: graph is broken\n" in capsys.readouterr().err
    assert files(out) == ["b.png"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["looks", "--photo", "x.png"], "add --sheet"),
        (["apply", "x" * 300 + ".png", "b.png"], "name too long"),
        (["run", "--source", "demo", "--sink", "file:" + "x" * 300 + ".mp4"], "name too long"),
        (["run", "--source", "demo", "--sink", "file:~nosuchuser/a.mp4"], "no such user"),
        (["demo", "--output", "~nosuchuser/a.mp4"], "no such user"),
    ],
)
def test_invalid_arguments_are_one_line_errors(tmp_path: Path, arguments: list[str], says: str) -> None:
    assert says in one_line(veneer(*arguments, cwd=tmp_path))


@pytest.mark.parametrize(
    ("option", "asked"),
    [
        ({"size_wh": (640, 480)}, "--size 640x480"),
        ({"encoder": "hardware"}, "--encoder hardware"),
        ({"quality": 20}, "--quality 20"),
    ],
)
def test_options_of_films_are_refused_for_a_picture(
    tmp_path: Path, portrait_bgr: ImageU8, option: dict[str, Any], asked: str
) -> None:
    write_picture(tmp_path / "a.png", portrait_bgr)
    with pytest.raises(OptionsError, match=f"{asked}.*it is for films, and a.png is a picture - leave it out"):
        file_apply.apply_to(tmp_path / "a.png", tmp_path / "b.png", ApplyOptions(**option))
    assert files(tmp_path) == ["a.png"]


def test_pipe_as_input_does_not_hang(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")
    os.mkfifo(tmp_path / "in.png")
    with pytest.raises(SourceError, match="pipe"):
        file_apply.apply_to(tmp_path / "in.png", tmp_path / "out.png", ApplyOptions())


def test_files_with_mutated_headers_are_one_line_each(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """`python -m tests.fuzz.mutated_files` writes more of them."""
    source = tmp_path / "in"
    source.mkdir()
    write_mutated_files(source, 14)
    done = veneer("apply", source, tmp_path / "out", "--look", "none")
    assert done.returncode in (0, 2), done.stderr
    lines = [line for line in (done.stderr + capfd.readouterr().err).splitlines() if line and "\u2501" not in line]
    assert all(line.startswith("veneer: ") for line in lines), lines
    failed = [line.split(": ")[2] for line in lines if line.startswith("veneer: not done: ")]
    assert len(set(failed)) == len(failed) > 2
    assert f"{14 - len(failed)} of 14 files done" in done.stderr
