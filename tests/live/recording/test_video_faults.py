"""Recordings after a kill, an interrupt, a full disk or an encoder error; invalid output names."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cli_parts import WITH_TESTS
from support.root import ROOT
from support.sink_clips import plain_frame, read_pictures

from engines.errors import SinkError, VeneerError
from live.sinks import video_file
from live.sinks.video_file import VideoFileSink

PROGRAM = ROOT / "tests" / "support" / "record_program.py"
HANG_S = 120


@contextlib.contextmanager
def _recorder(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    command = [*WITH_TESTS, sys.executable, str(PROGRAM), str(path), how]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _wait_for_frame(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == str(number):
            return
    pytest.fail("the recording ended")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_killed_recording_plays_up_to_its_last_second(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    with _recorder(path, "on") as process:
        _wait_for_frame(process, 150)
        process.send_signal(signal.SIGKILL)
        process.wait(HANG_S)
    pictures, times_s = read_pictures(path)
    assert len(pictures) >= 150 - 45
    assert times_s == pytest.approx([number / 30 for number in range(len(times_s))], abs=1e-3)


def test_ctrl_c_leaves_a_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    with _recorder(path, "on") as process:
        _wait_for_frame(process, 60)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=HANG_S)
    lines = output.split()
    assert lines[-2:] == ["interrupted", "closed"]
    sent = max(int(line) for line in ["60", *lines] if line.isdigit())
    assert len(read_pictures(path)[0]) >= sent
    assert list(tmp_path.iterdir()) == [path]


def test_encoder_error_keeps_earlier_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    sink = VideoFileSink(path)
    sink.open(size_wh=(64, 48), fps=30)
    for number in range(60):
        sink.send(plain_frame(number, pts_s=number / 30))

    def broken(*_: object) -> object:
        raise ValueError("the encoder is broken")

    with monkeypatch.context() as patched:
        patched.setattr(video_file, "bgr_to_yuv420", broken)
        with pytest.raises(SinkError, match="the encoder is broken"):
            sink.send(plain_frame(1, pts_s=2.0))
    sink.send(plain_frame(1, pts_s=2.1))  # ignored without another error
    sink.close()
    assert len(read_pictures(path)[0]) >= 60 - 20


def _check_cut_short(path: Path, process: subprocess.Popen[str]) -> None:
    output, _ = process.communicate(timeout=HANG_S)
    lines = output.splitlines()
    assert lines[-1] == "closed", lines[-5:]
    assert lines[-2].startswith(f"error writing {path}: no room is left on the disk - free some space"), lines[-2]
    assert lines[-2].endswith(f"what was recorded until then plays: {path}")
    sent = max(int(line) for line in lines if line.isdigit())
    pictures, times_s = read_pictures(path)
    assert len(pictures) >= max(1, sent - 60)
    assert times_s == pytest.approx([number / 30 for number in range(len(times_s))], abs=1e-4)


def test_file_size_limit_keeps_a_playable_recording(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="this system cannot limit the size of files")
    path = tmp_path / "clip.mp4"
    with _recorder(path, "limit") as process:
        _check_cut_short(path, process)


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, timeout=30).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system needs root")
    try:
        with _recorder(disk / "clip.mp4", "full") as process:
            _check_cut_short(disk / "clip.mp4", process)
    finally:
        subprocess.run(["umount", str(disk)], check=True, timeout=30)


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("clip.avi", "the name ends in '.avi'"),
        ("clip", "the name has no ending"),
        ("gone/clip.mp4", "does not exist"),
        ("folder.mp4", "that is a folder"),
        ("file.txt/clip.mp4", "is a file"),
        ("pipe.mp4", "device or pipe"),
    ],
)
def test_invalid_output_names_are_rejected(tmp_path: Path, name: str, got: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file.txt").write_text("")
    if name == "pipe.mp4":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes on this system")
        os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(SinkError, match=got) as caught:
        VideoFileSink(tmp_path / name)
    assert caught.value.do
    assert "\n" not in str(caught.value)


def test_folder_removed_before_open_is_an_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    sink = VideoFileSink(folder / "clip.mp4")
    folder.rmdir()
    with pytest.raises(SinkError, match="does not exist"):
        sink.open(size_wh=(64, 48), fps=30)
    sink.close()


def test_unwritable_folder_is_reported(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    if os.access(locked, os.W_OK):  # root may write everywhere except in /proc
        locked = Path("/proc/self")
        if not locked.is_dir():
            pytest.skip("there is no folder that this user may not write")
    with pytest.raises(SinkError) as caught:
        VideoFileSink(locked / "clip.mp4").open(size_wh=(64, 48), fps=30)
    assert caught.value.asked == f"writing {locked / 'clip.mp4'}"
    assert "folder of your own" in caught.value.do


def test_failed_rename_names_the_finished_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"open in a player")

    def refuse(self: Path, target: Path) -> Path:
        raise PermissionError(13, "Permission denied")

    sink = VideoFileSink(path)
    sink.open(size_wh=(64, 48), fps=30)
    sink.send(plain_frame(100, pts_s=0.0))
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(SinkError, match=r"plays: .*clip\.part\.mp4"):
        sink.close()
    sink.close()
    assert path.read_bytes() == b"open in a player"
    assert len(read_pictures(tmp_path / "clip.part.mp4")[0]) == 1


_FULL_AT_ONCE = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from engines.errors import SinkError
from live.pipeline.frame import Frame
from live.sinks.video_file import VideoFileSink
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
sink = VideoFileSink(Path(sys.argv[1]))
sink.open(size_wh=(320, 240), fps=30)
noise = np.random.default_rng(0)
try:
    for number in range(200):
        sink.send(Frame(noise.integers(0, 255, (240, 320, 3), dtype=np.uint8), number, 0.0, number / 30))
except SinkError as error:
    print(error)
sink.close()
"""


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_disk_full_before_first_fragment_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("resource", reason="this system cannot limit the size of files")
    command = [sys.executable, "-c", _FULL_AT_ONCE, str(tmp_path / f"clip.{suffix}")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, env=environment)
    assert done.returncode == 0, done.stderr
    assert "no room is left on the disk - free some space" in done.stdout
    assert "plays" not in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "got"),
    [("x" * 300 + ".mp4", "name too long"), ("~nosuchuser/clip.mp4", "no such user")],
)
def test_names_refused_by_the_system_are_one_line(name: str, got: str) -> None:
    with pytest.raises(VeneerError, match=got) as caught:
        VideoFileSink(name)
    assert caught.value.do and "\n" not in str(caught.value)
