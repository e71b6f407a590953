"""Animated GIF, WebP, PNG and AVIF: every frame and its time are kept; nothing is reduced to one frame silently."""

from __future__ import annotations

import itertools
import weakref
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from support.apply_parts import one_line, veneer
from support.sink_clips import read_pictures
from support.video_files import number_in, numbered, write_video

from benchmarks.picture_files.picture_samples import DURATIONS_MS, moving, write_animations
from engines.errors import SinkError
from live.options import ApplyOptions
from live.picture_files.picture import Picture
from live.picture_files.picture_reader import PictureFile
from live.recording.file_apply import apply_to
from live.sources.picture_source import PictureSource

STARTS_MS = [0, *itertools.accumulate(DURATIONS_MS[:-1])]


@pytest.fixture(scope="module")
def animations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("animations")
    write_animations(folder)
    return folder


def frames_of(path: Path) -> tuple[list[float], int | None]:
    """Return the durations in ms and the loop count of an animation, as Pillow reads it."""
    durations = []
    with Image.open(path) as picture:
        for index in range(getattr(picture, "n_frames", 1)):
            picture.seek(index)
            picture.load()
            durations.append(picture.info["duration"])
        return durations, picture.info.get("loop")


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp", "moving_clear.webp", "moving_clear.png", "moving.avif"])
def test_animation_keeps_frames_times_and_loops(animations: Path, tmp_path: Path, name: str) -> None:
    result = tmp_path / name
    done = veneer("apply", animations / name, result, "--look", "matte-red")
    assert done.returncode == 0, done.stderr
    assert frames_of(result) == frames_of(animations / name)
    if not name.endswith(("webp", "avif")):  # FFmpeg reads neither animated WebP nor AVIF's times
        assert np.allclose(read_pictures(result)[1], np.array(STARTS_MS) / 1e3, atol=1e-6)
    painted = [picture.srgb() for picture in PictureFile(result).frames()]
    bare = [picture.srgb() for picture in PictureFile(animations / name).frames()]
    changes = [np.abs(one.astype(int) - other).max(axis=2) for one, other in zip(painted, bare, strict=True)]
    assert all((change[120:200, 100:220] > 40).any() for change in changes), "each frame is painted"
    assert all(change[:60].mean() < 3 for change in changes)


def test_transparent_animation_keeps_alpha(animations: Path, tmp_path: Path) -> None:
    for name in ("moving_clear.webp", "moving_clear.png"):
        assert veneer("apply", animations / name, tmp_path / name, "--look", "matte-red").returncode == 0
        for before, after in zip(
            PictureFile(animations / name).frames(), PictureFile(tmp_path / name).frames(), strict=True
        ):
            assert before.alpha is not None and after.alpha is not None
            assert np.array_equal(before.alpha, after.alpha)
    clear = [
        picture for picture, _ in zip(PictureFile(animations / "moving_clear.png").frames(), range(2), strict=False)
    ]
    two = [Image.fromarray(np.dstack([picture.rgb, picture.alpha])) for picture in clear]
    two[0].save(tmp_path / "two.png", save_all=True, append_images=two[1:], duration=100)
    assert veneer("apply", tmp_path / "two.png", tmp_path / "a.gif", "--look", "none").returncode == 0
    first = next(PictureFile(tmp_path / "a.gif").frames())
    assert first.alpha is not None and set(np.unique(first.alpha)) == {0, 255}


def test_animation_becomes_a_film_with_its_times(animations: Path, tmp_path: Path) -> None:
    for name in ("moving.gif", "moving.webp"):
        done = veneer("apply", animations / name, tmp_path / "a.mp4", "--look", "none")
        assert done.returncode == 0, done.stderr
        pictures, times_s = read_pictures(tmp_path / "a.mp4")
        assert len(pictures) == len(DURATIONS_MS)
        assert np.allclose(times_s, np.array(STARTS_MS) / 1e3, atol=1e-4)
        with av.open(str(tmp_path / "a.mp4")) as container:
            (stream,) = container.streams.video
            assert stream.duration is not None and stream.time_base is not None
            assert float(stream.duration * stream.time_base) == pytest.approx(sum(DURATIONS_MS) / 1e3, abs=1e-4)


def test_animation_to_film_keeps_few_frames_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[weakref.ref[Picture]] = []
    decode, counts = PictureFile._decoded, []

    def counted(self: PictureFile, index: int) -> Picture:
        counts.append(sum(picture() is not None for picture in alive))
        picture = decode(self, index)
        alive.append(weakref.ref(picture))
        return picture

    frames = [Image.new("RGB", (64, 64), (shade, 0, 0)) for shade in range(0, 240, 4)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
    monkeypatch.setattr(PictureFile, "_decoded", counted)
    assert apply_to(tmp_path / "a.gif", tmp_path / "a.mp4", ApplyOptions(look="none")) == 0
    assert len(counts) >= len(frames) and max(counts) < 20


def test_full_disk_ends_an_animation_in_one_line(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limit on the size of a file")
    frames = [Image.effect_noise((256, 256), 50 + index).convert("RGB") for index in range(6)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], duration=40)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 * 256 * 256 * 3 + 1000, limit[1]))  # of one file, in bytes
    try:
        with pytest.raises(SinkError, match="a temporary file for .* - free some space") as caught:
            apply_to(tmp_path / "a.png", tmp_path / "b.webp", ApplyOptions(look="none"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(caught.value) and not (tmp_path / "b.webp").exists()
    (part,) = tmp_path.glob("b.*webp")
    assert len(frames_of(part)[0]) == 3


def test_film_becomes_an_animation_with_its_times(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", [numbered(index) for index in range(5)], stamps_ms=[0, 33, 67, 150, 200], sound_s=1)
    done = veneer("apply", tmp_path / "a.mp4", tmp_path / "a.webp", "--look", "none")
    assert done.returncode == 0, done.stderr
    assert "not kept in a .webp: sound" in done.stderr
    durations, loop = frames_of(tmp_path / "a.webp")
    assert durations[:-1] == [33, 34, 83, 50] and loop == 0
    shown = [picture.frame_bgr for picture in PictureFile(tmp_path / "a.webp").frames()]
    assert [number_in(bgr) for bgr in shown] == list(range(5))
    assert veneer("apply", tmp_path / "a.mp4", tmp_path / "a.gif", "--look", "none").returncode == 0
    assert frames_of(tmp_path / "a.gif")[0][:-1] == [30, 40, 80, 50]


def test_animation_is_not_reduced_to_a_still(animations: Path, tmp_path: Path) -> None:
    says = one_line(veneer("apply", animations / "moving.webp", tmp_path / "a.jpg"))
    assert "moving.webp is an animation of 6 frames, a .jpg holds one - end it in .gif" in says
    says = one_line(veneer("looks", "--sheet", tmp_path / "a.png", "--photo", animations / "moving.gif"))
    assert "it is an animation of 6 frames" in says
    assert not list(tmp_path.iterdir())


def test_truncated_animation_is_converted_in_part(animations: Path, tmp_path: Path) -> None:
    data = (animations / "moving.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(data[: len(data) * 2 // 3])
    done = veneer("apply", tmp_path / "cut.gif", tmp_path / "out.gif", "--look", "none")
    assert done.returncode == 2, done.stderr
    assert "cut.gif" in done.stderr and "Traceback" not in done.stderr
    assert 1 < len(frames_of(tmp_path / "out.gif")[0]) < 6


def test_frame_without_a_time_is_kept(tmp_path: Path) -> None:
    frames = moving()[:3]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[0, 0, 0], loop=0)
    assert veneer("apply", tmp_path / "a.gif", tmp_path / "b.gif", "--look", "none").returncode == 0
    with Image.open(tmp_path / "b.gif") as written:
        assert getattr(written, "n_frames", 1) == 3


def test_animation_as_a_source_repeats_in_its_own_time(animations: Path) -> None:
    source = PictureSource(animations / "moving.gif", repeat=True)
    info = source.open()
    assert source.live and info.frame_count is None and info.size_wh == (320, 320)
    source._pace.wait_until = lambda due_s: due.append(due_s) or True  # type: ignore[method-assign, func-returns-value]
    due: list[float] = []
    frames = [source.read() for _ in range(8)]
    assert np.allclose(due, np.array([*STARTS_MS, 810, 910]) / 1e3)
    assert frames[0] is not None and frames[6] is not None and np.array_equal(frames[0].bgr, frames[6].bgr)
    source.close()
    assert source.read() is None


def test_run_reads_an_animation_once_into_a_film(animations: Path, tmp_path: Path) -> None:
    sink = f"file:{tmp_path / 'a.mkv'}"
    done = veneer("run", "--source", animations / "moving.webp", "--sink", sink, "--look", "none")
    assert done.returncode == 0, done.stderr
    assert np.allclose(read_pictures(tmp_path / "a.mkv")[1], np.array(STARTS_MS) / 1e3, atol=1e-3)


def test_still_gif_and_avif_are_one_picture(tmp_path: Path) -> None:
    face = moving()[0]
    face.quantize(256).save(tmp_path / "still.gif")
    assert veneer("apply", tmp_path / "still.gif", tmp_path / "a.avif", "--look", "none").returncode == 0
    with av.open(str(tmp_path / "a.avif")) as container:  # the second reader of AVIF
        shown = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(shown) == 1
    assert np.abs(shown[0].astype(int) - PictureFile(tmp_path / "still.gif").still().frame_bgr).mean() < 4
