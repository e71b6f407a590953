"""Still pictures: reading (orientation, depth, alpha), atomic writing, and PictureSource."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engines.errors import SinkError, SourceError
from live.picture_files.picture_reader import read_picture
from live.picture_files.picture_writer import write_picture
from live.sources import pace
from live.sources.picture_source import PictureSource

Picture = NDArray[np.uint8]

# Transformation of an upright picture to the stored one, by EXIF orientation.
STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: np.rot90(p, -1),
}


def quarters_bgr() -> Picture:
    picture = np.full((32, 48, 3), 220, np.uint8)
    picture[:16, :24], picture[:16, 24:], picture[16:, :24] = (30, 40, 200), (40, 190, 50), (200, 70, 40)
    return picture


def same(one: Picture, other: Picture, within: int = 6) -> bool:
    """Compare without the edges between the flat parts, which JPEG blurs."""
    assert one.shape == other.shape
    inside = np.ones(one.shape[:2], bool)
    for axis, size in enumerate(one.shape[:2]):
        rows = np.abs(np.arange(size) - (size - 1) / 2) < 4
        inside &= ~(rows[:, None] if axis == 0 else rows[None, :])
    return int(np.abs(one.astype(int) - other)[inside].max()) <= within


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_exif_orientation_is_applied(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored_rgb = np.ascontiguousarray(STORED[orientation](quarters_bgr())[:, :, ::-1])
    options = {"jpeg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}.get(kind, {})
    Image.fromarray(stored_rgb).save(tmp_path / f"turned.{kind}", exif=exif, **options)
    assert same(read_picture(tmp_path / f"turned.{kind}"), quarters_bgr())


def test_exif_orientation_of_a_transparent_picture(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored_rgb = np.ascontiguousarray(STORED[6](quarters_bgr())[:, :, ::-1])
    Image.fromarray(stored_rgb).convert("RGBA").save(tmp_path / "turned.png", exif=exif)
    assert same(read_picture(tmp_path / "turned.png"), quarters_bgr(), within=0)


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_grey_16_bit_and_transparent_pictures_become_bgr(tmp_path: Path, suffix: str) -> None:
    wide = quarters_bgr().astype(np.uint16) * 257
    clear = np.dstack([quarters_bgr(), np.zeros((32, 48), np.uint8)])
    clear[:, 24:, 3] = 255
    grey = np.full((32, 48), 77, np.uint8)
    for name, picture in {"wide": wide, "clear": clear, "grey": grey, "both": clear.astype(np.uint16) * 257}.items():
        assert cv2.imwrite(str(tmp_path / (name + suffix)), picture)
    assert np.array_equal(read_picture(tmp_path / f"wide{suffix}"), quarters_bgr())
    assert np.array_equal(read_picture(tmp_path / f"grey{suffix}"), np.full((32, 48, 3), 77, np.uint8))
    for name in ("clear", "both"):
        seen = read_picture(tmp_path / (name + suffix))
        assert (seen[:, :24] == 255).all(), "transparent parts are white"
        assert np.abs(seen[:, 24:].astype(int) - quarters_bgr()[:, 24:]).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".PNG"])
def test_written_picture_is_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"Gesicht 面 é{suffix}"
    write_picture(path, quarters_bgr())
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert same(read_picture(path), quarters_bgr(), within=8)


@pytest.mark.parametrize("size_wh", [(1, 1), (7680, 4320)])
def test_smallest_and_largest_picture(tmp_path: Path, size_wh: tuple[int, int]) -> None:
    write_picture(tmp_path / "size.jpg", np.full((size_wh[1], size_wh[0], 3), 128, np.uint8))
    source = PictureSource(tmp_path / "size.jpg", repeat=False)
    assert source.open().size_wh == size_wh
    frame = source.read()
    assert frame is not None and frame.size_wh == size_wh
    source.close()


def test_colour_profile_prints_no_warning(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    profile = b"no profile at all" * 20  # libpng prints a warning about it
    Image.fromarray(quarters_bgr()[:, :, ::-1]).save(tmp_path / "p.png", icc_profile=profile)
    assert np.array_equal(read_picture(tmp_path / "p.png"), quarters_bgr())
    assert capfd.readouterr().err == ""


def test_invalid_pictures_are_one_line_errors(tmp_path: Path) -> None:
    whole = io.BytesIO()
    Image.fromarray(quarters_bgr()).save(whole, "png")
    contents = {"text.jpg": b"dear diary", "empty.png": b"", "cut.png": whole.getvalue()[:40]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder.png").mkdir()
    got = {"text.jpg": "no picture", "empty.png": "empty", "cut.png": "damaged", "folder.png": "folder"}
    for name, words in (got | {"missing.png": "no such file"}).items():
        with pytest.raises(SourceError, match=name) as caught:
            PictureSource(tmp_path / name, repeat=False).open()
        assert words in str(caught.value) and "\n" not in str(caught.value)


def test_single_picture_is_one_frame(tmp_path: Path) -> None:
    write_picture(tmp_path / "one.png", quarters_bgr())
    source = PictureSource(tmp_path / "one.png", repeat=False)
    info = source.open()
    assert not source.live and (info.name, info.fps, info.frame_count) == ("one.png", 0.0, 1)
    frame = source.read()
    assert frame is not None and (frame.frame_id, frame.pts_s) == (0, 0.0)
    assert np.array_equal(frame.bgr, quarters_bgr())
    assert source.read() is None and source.read() is None


def test_repeated_picture_keeps_its_rate_and_is_writable(tmp_path: Path) -> None:
    write_picture(tmp_path / "again.png", quarters_bgr())
    source = PictureSource(tmp_path / "again.png", fps=100, repeat=True)
    info = source.open()
    assert source.live and info.fps == 100 and info.frame_count is None
    began_s = time.monotonic()
    for frame_id in range(12):
        frame = source.read()
        assert frame is not None and frame.frame_id == frame_id and frame.pts_s is None
        assert np.array_equal(frame.bgr, quarters_bgr())
        frame.bgr[:] = 0
    assert time.monotonic() - began_s >= 11 / 100 - 0.01
    source.close()
    assert source.read() is None


def test_close_ends_the_wait_for_the_next_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_picture(tmp_path / "slow.png", quarters_bgr())
    source = PictureSource(tmp_path / "slow.png", fps=0.05, repeat=True)
    source.open()
    source.read()
    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        source.read()
    monkeypatch.setattr(pace, "MAX_WAIT_S", 15.0)  # so that the wait does not end by itself
    threading.Timer(0.1, source.close).start()
    assert source.read() is None
    assert time.monotonic() - began_s < 10


def test_unwritable_picture_is_reported_and_old_file_kept(tmp_path: Path) -> None:
    write_picture(tmp_path / "kept.jpg", quarters_bgr())
    before = (tmp_path / "kept.jpg").read_bytes()
    too_wide = np.zeros((1, 70000, 3), np.uint8)
    (tmp_path / "folder.png").mkdir()
    for path, picture, got in (
        (tmp_path / "name.xyz", quarters_bgr(), "unknown kind '.xyz'"),
        (tmp_path / "name", quarters_bgr(), "unknown kind ''"),
        (tmp_path / "nowhere" / "a.png", quarters_bgr(), "no such file or directory"),
        (tmp_path / "folder.png", quarters_bgr(), "folder"),
        (tmp_path / "kept.jpg", too_wide, "70000x1"),
    ):
        with pytest.raises(SinkError, match=path.name) as caught:
            write_picture(path, picture)
        assert got in str(caught.value)
    assert (tmp_path / "kept.jpg").read_bytes() == before
    assert {entry.name for entry in tmp_path.iterdir()} == {"kept.jpg", "folder.png"}


@pytest.mark.data
def test_real_portraits_are_read(data_dir: Path) -> None:
    faces = sorted((data_dir / "faces" / "portraits_cc0").rglob("*.jpg"))[::40]
    assert faces
    for path in faces:
        picture = read_picture(path)
        assert picture.ndim == 3 and min(picture.shape[:2]) > 100 and picture.std() > 5
