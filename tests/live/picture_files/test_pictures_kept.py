"""`veneer apply` on pictures of every make: depth, transparency, colours, EXIF and orientation, by a second reader."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base
from skimage.color import deltaE_ciede2000
from support.apply_parts import files, one_line, veneer

from benchmarks.picture_files.picture_samples import camera_exif, deep, face_rgb, write_stills
from benchmarks.picture_files.rgb_profiles import ADOBE_RGB, D50_XYZ, DISPLAY_P3, PROPHOTO, SRGB
from live.options import ApplyOptions
from live.picture_files.exif_data import kept_exif, with_note
from live.picture_files.picture_reader import PictureFile
from live.recording.file_apply import apply_to

Folders = tuple[Path, Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """The stills of the benchmark, and what *matte-red* makes of them."""
    top = tmp_path_factory.mktemp("pictures")
    (top / "in").mkdir()
    write_stills(top / "in")
    assert apply_to(top / "in", top / "out", ApplyOptions(look="matte-red")) == 0
    return top / "in", top / "out"


def outside(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return what lies around the face, where the look does not paint."""
    return np.concatenate([pixels[:60].reshape(-1, *pixels.shape[2:]), pixels[220:].reshape(-1, *pixels.shape[2:])])


def raw(path: Path) -> NDArray[Any]:
    """Return the pixels as OpenCV reads them: neither turned nor converted."""
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
    assert pixels is not None
    return np.asarray(pixels)


AVIF = "alpha.avif"
EXACT = (
    "palette.png", "alpha.png", "deep.png", "deep_alpha.png", "adobe.png", "prophoto.png", "p3.png", "lzw.tif",
    "deep.tif", "deep_alpha.tif", "deep_prophoto.tif", "lossless_alpha.webp", "lossy_alpha.webp", "lossy.webp",
    "adobe.webp", "plain.bmp", "plain.png",
)  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_pixels_outside_the_painted_region_are_exact(folders: Folders, name: str) -> None:
    before, after = raw(folders[0] / name), raw(folders[1] / name)
    assert after.dtype == before.dtype and after.shape == before.shape
    assert np.array_equal(outside(after), outside(before))
    assert (after != before).any(), "the lips are painted"


@pytest.mark.parametrize(("name", "profile"), [("adobe", ADOBE_RGB), ("prophoto", PROPHOTO), ("p3", DISPLAY_P3)])
def test_wide_colours_of_a_jpeg_keep_within_one_de(folders: Folders, name: str, profile: Any) -> None:
    before, after = (profile.lab(raw(folder / f"{name}.jpg")[:, :, ::-1]) for folder in folders)
    assert outside(deltaE_ciede2000(before, after)).mean() < 0.2
    with Image.open(folders[1] / f"{name}.jpg") as written:
        assert written.info["icc_profile"] == profile.icc()


@pytest.mark.parametrize("name", ["adobe.png", "prophoto.png", "deep_prophoto.tif"])
def test_painted_lips_have_the_same_colour_in_any_profile(folders: Folders, name: str) -> None:
    profile = ADOBE_RGB if "adobe" in name else PROPHOTO
    lips = np.s_[140:170, 140:180]
    wanted = SRGB.lab(raw(folders[1] / "plain.png")[:, :, ::-1])[lips]
    got = profile.lab(raw(folders[1] / name)[:, :, ::-1])[lips]
    assert deltaE_ciede2000(wanted, got).mean() < 1.5


@pytest.mark.parametrize(
    "name", ["alpha.png", "lossless_alpha.webp", "lossy_alpha.webp", "deep_alpha.png", "alpha.avif"]
)
def test_alpha_is_kept(folders: Folders, name: str) -> None:
    if name == AVIF:  # OpenCV reads none
        with Image.open(folders[0] / name) as before, Image.open(folders[1] / name) as after:
            levels = [np.asarray(picture)[:, :, 3].astype(int) for picture in (before, after)]
        assert np.abs(levels[0] - levels[1]).max() <= 2
        return
    before_alpha, after_alpha = raw(folders[0] / name)[:, :, 3], raw(folders[1] / name)[:, :, 3]
    assert np.array_equal(before_alpha, after_alpha)


def test_tagged_tiff_is_read_by_another_library(folders: Folders) -> None:
    with tifffile.TiffFile(folders[1] / "deep_prophoto.tif") as written:
        page = written.pages[0]
        assert isinstance(page, tifffile.TiffPage) and page.dtype == np.uint16
        assert page.tags[34675].value == PROPHOTO.icc()
        assert np.array_equal(page.asarray(), raw(folders[1] / "deep_prophoto.tif")[:, :, ::-1])


@pytest.mark.parametrize("name", ["turned6.png", "turned3.tif", "turned8.jpg", "phone_turned.heic", "phone.heic"])
def test_orientation_is_applied_once_and_exif_is_kept(folders: Folders, name: str) -> None:
    path = folders[1] / Path(name).with_suffix(".jpg" if name.endswith("heic") else Path(name).suffix)
    upright, plain = raw(path), raw(folders[1] / "plain.png")
    assert np.abs(upright.astype(int) - plain).mean() < 6
    with Image.open(path) as written:
        exif = written.getexif()
        assert (exif[Base.Make], exif[Base.Model]) == ("Maker", "Camera 1")
        assert exif.get(Base.Orientation, 1) == 1
        assert exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] == "2026:11:28 10:00:00"
        assert exif.get_ifd(IFD.GPSInfo)[2] == (47.0, 22.0, 10.0)
    assert b"preview of the bare face" not in path.read_bytes()


def with_thumbnail(thumbnail: bytes) -> bytes:
    """Return EXIF with an orientation and, in its second directory, a thumbnail (Exif 2.3, section 4.5.5)."""
    first = struct.pack("<H", 1) + struct.pack("<HHII", 0x0112, 3, 1, 1) + struct.pack("<I", 8 + 18)
    entries = struct.pack("<HHII", 0x0201, 4, 1, 8 + 18 + 30) + struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail))
    return b"Exif\0\0II*\0\x08\0\0\0" + first + struct.pack("<H", 2) + entries + bytes(4) + thumbnail


def test_the_thumbnail_of_the_bare_face_is_left_out(tmp_path: Path) -> None:
    thumbnail = b"\xff\xd8the bare face\xff\xd9"
    Image.fromarray(face_rgb()).save(tmp_path / "a.jpg", exif=with_thumbnail(thumbnail))
    assert thumbnail in (tmp_path / "a.jpg").read_bytes()
    done = veneer("apply", tmp_path / "a.jpg", tmp_path / "b.jpg", "--look", "toon")
    assert done.returncode == 0, done.stderr
    assert thumbnail not in (tmp_path / "b.jpg").read_bytes()


def test_a_drawn_look_leaves_no_trace_below_it(tmp_path: Path) -> None:
    """Neither in the low bits of 16-bit pixels nor in the colours of transparent ones."""
    alpha = np.zeros((320, 320), np.uint16)
    alpha[:, 40:] = 65535
    pixels = np.dstack([deep(face_rgb())[:, :, ::-1], alpha])
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    done = veneer("apply", tmp_path / "a.png", tmp_path / "b.png", "--look", "toon")
    assert done.returncode == 0, done.stderr
    drawn = raw(tmp_path / "b.png")
    changed = (drawn != pixels).any(axis=2) & (alpha > 0)
    assert changed.mean() > 0.1 and (drawn[changed][:, :3] % 257 == 0).all()
    assert (drawn[:, :40, :3] == 65535).all() and np.array_equal(drawn[:, :, 3], alpha)


def test_grey_pictures_stay_grey_until_painted(tmp_path: Path) -> None:
    for suffix in ("png", "jpg", "tif", "webp"):
        Image.fromarray(face_rgb()).convert("L").save(tmp_path / f"a.{suffix}")
        done = veneer("apply", tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}", "--look", "none")
        assert done.returncode == 0, done.stderr
        with Image.open(tmp_path / f"b.{suffix}") as written:
            assert written.mode == ("RGB" if suffix == "webp" else "L")


def grey_profile(gamma: float) -> bytes:
    """Return a profile of one channel (ICC.1:2001-04): the RGB profile's white, and a tone curve."""
    curve = b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + bytes(2)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in D50_XYZ))
    desc = b"desc" + struct.pack(">II", 0, 5) + b"grey\0" + bytes(81 - 2)
    parts, table, offset = (b"desc", desc), b"", 128 + 4 + 36
    body = b""
    for tag, data in (parts, (b"wtpt", white), (b"kTRC", curve)):
        table += struct.pack(">4sII", tag, offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = struct.pack(">I4sI", offset + len(body), bytes(4), 0x02100000)
    head = (size + b"mntrGRAYXYZ " + bytes(12) + b"acsp").ljust(68, b"\0") + white[8:].ljust(60, b"\0")
    return head + struct.pack(">I", 3) + table + body


def test_other_colour_models_become_srgb(tmp_path: Path) -> None:
    face = Image.fromarray(face_rgb())
    face.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    as_lab = ImageCms.profileToProfile(face, srgb, lab, outputMode="LAB")
    assert as_lab is not None
    as_lab.save(tmp_path / "lab.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes())
    for name in ("cmyk.jpg", "lab.tif"):
        assert veneer("apply", tmp_path / name, tmp_path / "b.png", "--look", "none").returncode == 0
        assert np.abs(raw(tmp_path / "b.png").astype(int) - face_rgb()[:, :, ::-1]).mean() < 4, name


def test_grey_profile_is_converted(tmp_path: Path) -> None:
    linear = np.rint(SRGB._linear(face_rgb()[:, :, 1] / 255) * 255).astype(np.uint8)
    Image.fromarray(linear).save(tmp_path / "a.png", icc_profile=grey_profile(1.0))
    assert veneer("apply", tmp_path / "a.png", tmp_path / "b.png", "--look", "none").returncode == 0
    assert np.abs(raw(tmp_path / "b.png").astype(int) - face_rgb()[:, :, 1]).mean() < 3


def test_float_and_one_bit_pictures_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "float.tif", face_rgb().astype(np.float32) / 255, photometric="rgb")
    assert veneer("apply", tmp_path / "float.tif", tmp_path / "b.png", "--look", "none").returncode == 0
    assert np.array_equal(raw(tmp_path / "b.png"), face_rgb()[:, :, ::-1])
    bits = Image.fromarray(face_rgb()).convert("1")
    bits.save(tmp_path / "bits.png")
    assert veneer("apply", tmp_path / "bits.png", tmp_path / "c.png", "--look", "none").returncode == 0
    assert np.array_equal(raw(tmp_path / "c.png"), np.asarray(bits) * np.uint8(255))


def test_xmp_is_left_out_and_avif_turned_once(tmp_path: Path) -> None:
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(face_rgb(), 1)))
    turned.save(tmp_path / "a.avif", quality=95, exif=camera_exif(6), xmp=b"<x:xmpmeta>of the bare face</x:xmpmeta>")
    for name in ("b.png", "b.avif"):
        assert veneer("apply", tmp_path / "a.avif", tmp_path / name, "--look", "none").returncode == 0
        with Image.open(tmp_path / name) as written:
            assert np.abs(np.asarray(written).astype(int) - face_rgb()).mean() < 4
            assert written.getexif().get(Base.Orientation, 1) == 1 and written.getexif()[Base.Make] == "Maker"
        assert b"of the bare face" not in (tmp_path / name).read_bytes()


def test_what_a_format_cannot_hold_is_named(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([deep(face_rgb()), np.full((320, 320), 30_000, np.uint16)]))
    done = veneer("apply", tmp_path / "a.png", tmp_path / "b.jpg", "--look", "none")
    assert "a.png: not kept in a .jpg: 16 bits per channel, transparency" in done.stderr
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(face_rgb()).save(tmp_path / "c.png", exif=camera_exif(), icc_profile=profile)
    done = veneer("apply", tmp_path / "c.png", tmp_path / "d.bmp", "--look", "none")
    assert "c.png: not kept in a .bmp: colour profile, EXIF" in done.stderr


def test_damaged_profile_and_further_pages_are_named(tmp_path: Path) -> None:
    face = Image.fromarray(face_rgb())
    face.save(tmp_path / "a.png", icc_profile=b"no profile" * 30)
    done = veneer("apply", tmp_path / "a.png", tmp_path / "b.png", "--look", "none")
    assert done.returncode == 0 and "a.png: the colour profile is damaged" in done.stderr
    face.save(tmp_path / "a.tif", save_all=True, append_images=[face, face])
    done = veneer("apply", tmp_path / "a.tif", tmp_path / "b.tif", "--look", "none")
    assert done.returncode == 0 and "a.tif: the first of 3 pictures in the file is used" in done.stderr


@pytest.mark.parametrize(("lost", "rows"), [(2, 320), (4000, 100)])
def test_truncated_jpeg_is_rendered_with_a_note(folders: Folders, tmp_path: Path, lost: int, rows: int) -> None:
    (tmp_path / "a.jpg").write_bytes((folders[0] / "plain.jpg").read_bytes()[:-lost])
    done = veneer("apply", tmp_path / "a.jpg", tmp_path / "b.png", "--look", "none")
    assert done.returncode == 0 and "a.jpg: the file is truncated; what is missing of it is grey" in done.stderr
    assert np.array_equal(raw(tmp_path / "b.png")[:rows], raw(folders[0] / "plain.jpg")[:rows])


def test_heic_becomes_jpeg_beside_one_of_that_name(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, target in {"phone.heic": "one.heic", "plain.jpg": "one.jpg"}.items():
        (tmp_path / "in" / target).write_bytes((folders[0] / name).read_bytes())
    assert veneer("apply", tmp_path / "in", tmp_path / "out", "--look", "none").returncode == 0
    assert files(tmp_path / "out") == ["one.heic.jpg", "one.jpg"]
    assert ".heic is read, not written" in one_line(veneer("apply", folders[0] / "phone.heic", tmp_path / "x.heic"))
    assert veneer("apply", folders[0] / "phone.heic", tmp_path / "out", "--look", "none").returncode == 0
    assert (tmp_path / "out" / "phone.jpg").is_file()


def test_other_files_of_a_folder_are_counted_by_kind(tmp_path: Path) -> None:
    source = tmp_path / "in"
    (source / "deeper").mkdir(parents=True)
    Image.fromarray(face_rgb()).save(source / "a.png")
    for name in ("b.txt", "deeper/c.TXT", "d.pdf", "README", "e.psd"):
        (source / name).write_bytes(b"?")
    done = veneer("apply", source, tmp_path / "out", "--look", "none")
    assert done.returncode == 0
    skipped = [line for line in done.stderr.splitlines() if "skipped" in line]
    assert skipped == ["veneer: skipped, as they are no pictures or videos: 1 .pdf, 1 .psd, 2 .txt, 1 without suffix"]


def test_no_still_is_an_animation(folders: Folders) -> None:
    paths = [path for folder in folders for path in folder.iterdir()]
    assert len(paths) >= 60 and {PictureFile(path).frame_count for path in paths} == {1}


def test_letters_beyond_ascii_stay_in_exif(tmp_path: Path) -> None:
    block = Image.Exif()
    block[0x010E] = "Jörg, veneer".encode()
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=block.tobytes())
    with Image.open(tmp_path / "a.jpg") as picture:
        kept = kept_exif(picture)
    assert "Jörg, veneer".encode() in kept and "Jörg, veneer; note".encode() in with_note(kept, "note")
