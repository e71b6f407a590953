"""Malicious pictures, videos and face models: no excessive memory or time, no access to other files or the network."""

from __future__ import annotations

import io
import os
import socket
import struct
import zipfile
import zlib
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image, ImageFile
from pillow_heif import register_heif_opener
from support.video_files import numbered, write_video

from engines.errors import SourceError, TrackingError
from live.picture_files.picture_header import header_size_wh, picture_kind, safe_png
from live.picture_files.picture_reader import MAX_PIXELS, PictureFile, read_picture
from live.sources.video_source import VideoSource
from live.tracking import task_file
from live.tracking.task_file import read_task
from tests.fuzz import samples

SAVED = [
    ("png", {}),
    ("gif", {}),
    ("webp", {}),
    ("webp", {"lossless": True}),
    ("webp", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}),
    ("bmp", {}),
    ("tiff", {}),
    ("tiff", {"compression": "tiff_lzw"}),
]


@pytest.mark.parametrize(("kind", "options"), SAVED)
@pytest.mark.parametrize("size_wh", [(1, 1), (3, 700), (1291, 17)])
def test_header_size_equals_decoded_size(
    tmp_path: Path, kind: str, options: dict[str, object], size_wh: tuple[int, int]
) -> None:
    file = io.BytesIO()
    Image.new("RGB", size_wh, (9, 99, 199)).save(file, kind, **options)
    assert header_size_wh(file.getvalue(), kind.upper()) == size_wh
    assert picture_kind(file.getvalue()[:32]) == kind.upper()
    (tmp_path / "one").write_bytes(file.getvalue())
    assert read_picture(tmp_path / "one").shape[1::-1] == size_wh


def test_size_of_big_endian_tiffs_and_old_bitmaps() -> None:
    entries = struct.pack(">HHHIHH", 2, 256, 3, 1, 640, 0) + struct.pack(">HHII", 257, 4, 1, 480)
    assert header_size_wh(b"MM\0*" + struct.pack(">I", 8) + entries, "TIFF") == (640, 480)
    assert header_size_wh(b"BM" + bytes(12) + struct.pack("<IHHHH", 12, 320, 200, 1, 24), "BMP") == (320, 200)
    assert header_size_wh(b"BM" + bytes(12) + struct.pack("<Iii", 40, 320, -200), "BMP") == (320, 200)


def _png(width: int, height: int) -> bytes:
    """Return a valid grey PNG of any size that compresses to a small file."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + width)) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object, **__: object) -> None:
        pytest.fail("the picture was decoded")

    monkeypatch.setattr(cv2, "imdecode", decode)
    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)


def test_decompression_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bomb.png").write_bytes(_png(20_000, 20_000))
    assert (tmp_path / "bomb.png").stat().st_size < 1_000_000
    _forbid_decoding(monkeypatch)
    with pytest.raises(SourceError, match=r"bomb\.png.*20000x20000 has more than 120 million pixels"):
        read_picture(tmp_path / "bomb.png")


def test_phone_photos_are_below_the_size_limit() -> None:
    assert MAX_PIXELS >= 12_000 * 9_000


@pytest.mark.parametrize("kind", ["jpeg", "webp", "bmp", "tiff", "gif", "avif", "heif"])
def test_false_size_is_rejected_in_any_format(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    register_heif_opener()
    Image.new("RGB", (300, 200)).save(file, kind, **({"lossless": True} if kind == "webp" else {}))
    data, huge = (
        bytearray(file.getvalue()),
        {"bmp": 99_999, "tiff": 99_999}.get(kind, 16_000),
    )
    if kind == "jpeg":
        place = data.index(b"\xff\xc0")
        struct.pack_into(">HH", data, place + 5, huge, huge)
    elif kind == "bmp":
        struct.pack_into("<ii", data, 18, huge, huge)
    elif kind == "webp":
        struct.pack_into("<I", data, 21, 0x0FFFFFFF)
    elif kind == "gif":
        struct.pack_into("<HH", data, 6, huge, huge)
    elif kind in ("avif", "heif"):
        place = data.index(b"ispe")
        struct.pack_into(">II", data, place + 8, huge, huge)
    else:
        (place,) = struct.unpack_from("<I", data, 4)
        for entry in range(place + 2, place + 26, 12):
            if struct.unpack_from("<H", data, entry)[0] in (256, 257):
                struct.pack_into("<HII", data, entry + 2, 4, 1, huge)
    (tmp_path / f"false.{kind}").write_bytes(data)
    _forbid_decoding(monkeypatch)
    with pytest.raises(SourceError, match="more than 120 million"):
        read_picture(tmp_path / f"false.{kind}")


def test_png_chunk_longer_than_the_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV 4.11, which reads PNG of 16 bits, would allocate 2.9 GB and take five seconds for such a file."""
    whole = cv2.imencode(".png", np.full((5, 5, 3), 999, np.uint16))[1].tobytes()
    place = whole.index(b"IDAT") - 4
    monkeypatch.setattr(cv2, "imdecode", None)
    for data in (
        whole[:place] + struct.pack(">I", 0xAEEA363D) + whole[place + 4 :],
        whole[:-20],
        whole[:place] + whole[-12:] + struct.pack(">I4s", 0xAEEA363D, b"IDAT") + bytes(30),
    ):
        assert safe_png(data) is None
        (tmp_path / "chunk.png").write_bytes(data)
        with pytest.raises(SourceError, match="damaged"):
            read_picture(tmp_path / "chunk.png")


def test_data_after_a_png_and_its_profile_are_dropped() -> None:
    png = _png(5, 5)
    assert safe_png(png + b"and more") == png
    assert safe_png(png[:33] + struct.pack(">I4s7sI", 7, b"iCCP", b"profile", 0) + png[33:]) == png


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_decoders_print_nothing_about_damaged_files(
    tmp_path: Path, suffix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pixels = np.random.default_rng(0).integers(0, 65535, (40, 40, 3), np.uint16)
    data = bytearray(cv2.imencode(f".{suffix}", pixels)[1].tobytes())
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff" * 40
    (tmp_path / f"a.{suffix}").write_bytes(data)
    with pytest.raises(SourceError, match="damaged"):
        read_picture(tmp_path / f"a.{suffix}")
    assert capfd.readouterr().err == ""


def test_a_few_bytes_do_not_become_a_large_png(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow fills up missing pixels: 32 s and 3.8 GB for such a file, a former find of the fuzzer."""
    data = bytearray(_png(13, 13))
    struct.pack_into(">IIBB", data, 16, 13, 8_000_000, 8, 6)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    (tmp_path / "a.png").write_bytes(data)
    _forbid_decoding(monkeypatch)
    for end in (len(data), 25, 24):
        (tmp_path / "a.png").write_bytes(data[:end])
        with pytest.raises(SourceError, match="damaged"):
            read_picture(tmp_path / "a.png")


def test_gif_frame_larger_than_the_file_says_is_refused(tmp_path: Path) -> None:
    """Pillow enlarges the picture to hold such a frame."""
    file = io.BytesIO()
    first = Image.new("L", (20, 20))
    first.save(file, "gif", save_all=True, append_images=[Image.new("L", (20, 20), 9)], duration=100)
    data = bytearray(file.getvalue())
    places = [place for place in range(len(data) - 10) if data[place : place + 10] == b"\x2c\0\0\0\0\x14\0\x14\0\0"]
    assert places
    struct.pack_into("<HH", data, places[-1] + 5, 60_000, 60_000)
    (tmp_path / "a.gif").write_bytes(data)
    with pytest.raises(SourceError, match="a.gif"):
        list(PictureFile(tmp_path / "a.gif").frames())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_not_read_as_pictures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path / "pipe.png", Path("/dev/zero")):
        with pytest.raises(SourceError, match="not a regular file"):
            read_picture(path)


def test_video_with_too_large_frames_is_rejected(tmp_path: Path) -> None:
    """12000x12000 black pixels in half a megabyte; FFmpeg checks the limit before it allocates memory."""
    with av.open(str(tmp_path / "huge.avi"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 12_000, 12_000, "gray"
        frame = av.VideoFrame.from_ndarray(np.zeros((12_000, 12_000), np.uint8), format="gray")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(SourceError, match="67 million pixels"):
        VideoSource(tmp_path / "huge.avi").open()


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_playlist_named_as_video_opens_nothing(tmp_path: Path, kind: str) -> None:
    """Neither a file nor a network address; FFmpeg alone would open both."""
    write_video(tmp_path / "private.ts", [numbered(index) for index in range(3)])
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        for target in ("private.ts", f"http://127.0.0.1:{server.getsockname()[1]}/private.ts"):
            texts = {
                "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n",
                "concat": f"ffconcat version 1.0\nfile {target}\n",
            }
            (tmp_path / "list.mp4").write_text(texts[kind])
            with pytest.raises(SourceError, match=r"list\.mp4"):
                VideoSource(tmp_path / "list.mp4").open()
        with pytest.raises(TimeoutError):
            server.accept()


def _bundle(*, compressed: bool = False, **files: bytes) -> bytes:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("_tflite", ".tflite"), content)
    return bundle.getvalue()


MODEL = b"\x1c\0\0\0TFL3" + bytes(40)
MODELS = {"face_detector_tflite": MODEL, "face_landmarks_detector_tflite": MODEL}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no model bundle"),
        (b"TFL3" * 10, "no model bundle"),
        (_bundle(face_detector_tflite=MODEL), r"no face_landmarks_detector\.tflite in it"),
        (_bundle(**{**MODELS, "face_detector_tflite": b"\x80\x04}."}), "no TensorFlow Lite file"),
        (_bundle(**MODELS, bomb=bytes(50_000_000), compressed=True), "is compressed"),
        (_bundle(**MODELS, **{f"x{i}": b"" for i in range(15)}), "it holds 17 files"),
        (_bundle(**MODELS)[:-30], "no model bundle"),
    ],
)
def test_invalid_face_model_is_a_one_line_error(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "face.task").write_bytes(content)
    with pytest.raises(TrackingError, match=rf"face model .*face\.task: .*{says}") as caught:
        read_task(tmp_path / "face.task")
    assert str(caught.value).isprintable()


def test_oversized_face_model_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "face.task").open("wb") as file:
        file.truncate(task_file.MAX_BYTES + 1)
    with pytest.raises(TrackingError, match=r"64\.0 MB, more than 64"):
        read_task(tmp_path / "face.task")


def test_valid_model_bundle_is_read(tmp_path: Path) -> None:
    (tmp_path / "face.task").write_bytes(samples.tasks()[0])
    assert read_task(tmp_path / "face.task") == samples.tasks()[0]


@pytest.mark.data
def test_mediapipes_model_is_read(data_dir: Path) -> None:
    assert len(read_task(data_dir / "models" / "face_landmarker.task")) > 1_000_000
