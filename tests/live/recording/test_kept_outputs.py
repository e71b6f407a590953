"""`veneer apply`: no file made meanwhile is replaced, no half file remains, and errors of writing name their cause."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from support.apply_parts import files, film, one_line, started, veneer
from support.cli_parts import HANG_S, until
from support.sink_clips import read_pictures

from engines import files as engine_files
from engines.errors import SinkError
from engines.files import move_without_replacing
from live.options import ApplyOptions
from live.picture_files import picture_writer
from live.picture_files.picture_reader import PictureFile
from live.picture_files.picture_writer import write_picture
from live.pipeline.frame import ImageU8
from live.recording import film_apply
from live.recording.file_apply import apply_to

THREADS, ROUNDS = 6, 40


def _no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "Operation not permitted")


def made_before(target: Path, write: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that writes, preceded by another program that makes the file."""

    def write_late(*given: Any, **more: Any) -> Any:
        target.write_bytes(b"of another program")
        return write(*given, **more)

    return write_late


@pytest.mark.parametrize("has_links", [True, False])
def test_one_of_many_moves_to_a_name_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_links: bool) -> None:
    if not has_links:
        monkeypatch.setattr(engine_files.os, "link", _no_links)
    barrier, won = threading.Barrier(THREADS), list[tuple[int, int]]()

    def move(number: int) -> None:
        for turn in range(ROUNDS):
            part, target = tmp_path / f"{turn}-{number}.part", tmp_path / f"{turn}.txt"
            part.write_text(str(number))
            barrier.wait(HANG_S)
            try:
                move_without_replacing(part, target)
            except FileExistsError:
                assert part.read_text() == str(number)
            else:
                won.append((turn, number))

    threads = [threading.Thread(target=move, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert sorted(turn for turn, _ in won) == list(range(ROUNDS))
    assert all((tmp_path / f"{turn}.txt").read_text() == str(number) for turn, number in won)
    assert len(list(tmp_path.glob("*.part"))) == (THREADS - 1) * ROUNDS


def test_picture_made_meanwhile_is_kept(
    tmp_path: Path, portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    out.mkdir()
    for name in ("a.png", "b.png"):
        write_picture(source / name, portrait_bgr)
    late = made_before(out / "a.png", picture_writer.atomic_write)
    monkeypatch.setattr(picture_writer, "atomic_write", late)
    assert apply_to(source, out, ApplyOptions(look="none", no_clobber=True)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "not done" in line]
    assert len(lines) == 1 and "a.png" in lines[0] and "it was made meanwhile" in lines[0]
    assert (out / "a.png").read_bytes() == b"of another program"
    assert files(out) == ["a.png", "b.png"], "no temporary file remains"


@pytest.mark.parametrize("suffix", [".mp4", ".webp"])
def test_film_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    source, target = film(tmp_path / "in.mp4", 4), tmp_path / f"out{suffix}"
    monkeypatch.setattr(film_apply, "move_without_replacing", made_before(target, move_without_replacing))
    with pytest.raises(SinkError, match=r"it was made meanwhile - the video is in .*out\.part"):
        apply_to(source, target, ApplyOptions(look="none", no_clobber=True))
    assert target.read_bytes() == b"of another program"
    assert files(tmp_path) == sorted(["in.mp4", f"out.part{suffix}", f"out{suffix}"])


def test_two_runs_may_write_one_output(tmp_path: Path) -> None:
    """Each has an unfinished file of its own, and the output is one of the two complete results."""
    source, target = film(tmp_path / "in.mp4", 40), tmp_path / "out.mp4"
    target.write_bytes(b"of another day")
    with (
        started("apply", source, target, "--look", "none") as one,
        started("apply", source, target, "--look", "none") as two,
    ):
        assert [run.wait(HANG_S) for run in (one, two)] == [0, 0]
    assert len(read_pictures(target)[0]) == 40
    assert files(tmp_path) == ["in.mp4", "out.mp4"]


def test_failed_run_leaves_no_empty_file(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no film")
    done = veneer("apply", tmp_path / "broken.mp4", tmp_path / "out.mp4", "--look", "none")
    assert done.returncode == 2 and "broken.mp4" in done.stderr
    assert files(tmp_path) == ["broken.mp4"]


def test_no_clobber_writes_what_is_missing(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    source = tmp_path / "in"
    source.mkdir()
    write_picture(source / "a.png", portrait_bgr)
    film(source / "b.mp4", 3)
    done = veneer("apply", source, tmp_path / "out", "--look", "none", "--no-clobber")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path / "out") == ["a.png", "b.mp4"]
    assert len(read_pictures(tmp_path / "out" / "b.mp4")[0]) == 3


@pytest.mark.parametrize(
    ("suffix", "side", "says"),
    [
        (".webp", 16384, "16384x2 is too large: WEBP has at most 16383 pixels a side"),
        (".jpg", 65501, "65501x2 is too large: JPEG has at most 65500 pixels a side"),
        (".gif", 65536, "65536x2 is too large: GIF has at most 65535 pixels a side"),
        (".avif", 65537, "65537x2 is too large: AVIF has at most 65536 pixels a side"),
    ],
)
def test_picture_too_large_for_the_format(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], suffix: str, side: int, says: str
) -> None:
    Image.new("RGB", (side, 2), (90, 120, 200)).save(tmp_path / "wide.png")
    said = one_line(veneer("apply", tmp_path / "wide.png", tmp_path / f"out{suffix}", "--look", "none"))
    assert says in said and capfd.readouterr().err == ""
    assert files(tmp_path) == ["wide.png"]
    Image.new("RGB", (side - 1, 2)).save(tmp_path / f"largest{suffix}")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "no space left on device"),
        (MemoryError(), "there is not enough memory"),
        (RuntimeError("codec\nis broken"), r"the PNG encoder failed \(RuntimeError: codec is broken\)"),
    ],
)
def test_failed_encoder_names_the_cause(
    tmp_path: Path, portrait_bgr: ImageU8, monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(SinkError, match=says) as caught:
        write_picture(tmp_path / "a.png", portrait_bgr)
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())


def test_missing_folder_of_a_picture_is_named(tmp_path: Path, portrait_bgr: ImageU8) -> None:
    with pytest.raises(SinkError, match="no such file or directory"):
        write_picture(tmp_path / "gone" / "a.png", portrait_bgr)


def test_full_disk_under_an_animation_is_named(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of a file")
    noise, side = np.random.default_rng(0), 128
    frames = [Image.fromarray(noise.integers(0, 256, (side, side), np.uint8)).convert("P") for _ in range(6)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6 * side * side + 1000, limit[1]))  # the frames fit, the GIF does not
    try:
        with pytest.raises(SinkError, match=r"animation '.*': file too large - choose another place"):
            apply_to(tmp_path / "a.gif", tmp_path / "b.gif", ApplyOptions(look="none"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert files(tmp_path) == ["a.gif"]


def _spooled_bytes(pid: int) -> int:
    """Return the size of the largest deleted file that a process has open: the frames of an animation."""
    sizes = [0]
    for number in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if "(deleted)" in str(number.readlink()) and number.stat().st_size:
                sizes.append(number.stat().st_size)
        except OSError:  # closed meanwhile
            continue
    return max(sizes)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to observe the run")
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
@pytest.mark.parametrize("at", ["first frames", "encoding"])
def test_interrupted_animation_leaves_no_half_file(tmp_path: Path, suffix: str, at: str) -> None:
    count, side, noise = 40, 600 if suffix == ".gif" else 200, np.random.default_rng(0)  # the encoder takes 0.5 s
    palette = [value for value in range(256) for _ in "rgb"]
    frames = [Image.fromarray(noise.integers(0, 256, (side, side, 3), np.uint8)) for _ in range(count)]
    if suffix == ".gif":
        frames = [frame.getchannel(0) for frame in frames]
        for frame in frames:
            frame.putpalette(palette)
    options: dict[str, Any] = {".webp": {"lossless": True, "quality": 0, "method": 0}}.get(suffix, {})
    source, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=40, **options)
    out.write_bytes(b"of another day")
    size = side * side * (1 if suffix == ".gif" else 3)
    with started("apply", source, out, "--look", "none") as run:
        until(lambda: _spooled_bytes(run.pid) >= size * (count if at == "encoding" else 3), at)
        run.send_signal(signal.SIGINT)
        _, stderr = run.communicate(timeout=HANG_S)
    assert run.returncode == 130, stderr
    stopped, last = (line for line in stderr.splitlines() if line.startswith("veneer: "))
    assert "Traceback" not in stderr
    assert f"a{suffix}: stopped after " in stopped and last == "veneer: stopped"
    assert out.read_bytes() == b"of another day"
    parts = sorted(tmp_path.glob("*b.part*"))
    if not parts:
        assert "none of them is kept" in stopped
    for part in parts:
        assert part.name == f"b.part{suffix}" and part.name in stopped
        assert 1 <= len(list(PictureFile(part).frames())) <= count
