"""Still pictures: reading and writing them, and one as a source of frames."""

from __future__ import annotations

import errno
import io
import os
import struct
import threading
import time
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from engines.errors import SinkError, SourceError
from engines.untrusted_files import read_whole
from live.pipeline.frame import Frame, ImageU8, as_bgr
from live.pipeline.frame_pool import FramePool
from live.sources.base import FrameSource, SourceInfo
from live.sources.pace import Pace
from live.sources.picture_header import told_size_wh, whole_png

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MOST_PIXELS = 120_000_000  # a telephone's largest; as BGR it takes 360 MB
_MOST_BYTES = 500_000_000
_WAYS = "pictures are read from png, jpg, webp, bmp and tiff files"
_WRITING = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ".webp": (cv2.IMWRITE_WEBP_QUALITY, 95),
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 4),
}
_PNG = b"\x89PNG\r\n\x1a\n"


def read_picture(path: Path | str) -> ImageU8:
    """A picture file as (H, W, 3) BGR uint8, upright: the orientation a camera noted (EXIF) is applied.

    Grey, 16-bit and transparent pictures (blended over white) are taken too; of several pages the first.

    Raises:
        SourceError: no such file, not readable, not a picture, or larger than 120 megapixels.
    """
    asked = f"picture '{path}'"
    try:
        data = read_whole(Path(path), _MOST_BYTES)
    except OSError as error:
        raise SourceError(asked, _reason(error)) from None
    if not data:
        raise SourceError(asked, "the file is empty", "make or copy it again")
    data = _checked(data, asked)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise SourceError(asked, "the file is damaged or is no picture", _WAYS)
        return _upright(as_bgr(decoded), _orientation(data))
    except (cv2.error, ValueError, MemoryError):
        raise SourceError(asked, "the picture is too large or of an unknown kind", _WAYS) from None


def write_picture(path: Path | str, bgr: ImageU8) -> None:
    """Write a picture in the format of its suffix; a file that was there is replaced only by a whole new one.

    Args:
        path: ends in .png, .jpg, .webp, .bmp or .tiff.
        bgr: (H, W, 3) uint8, BGR.

    Raises:
        SinkError: unknown suffix, no such folder, no permission, no room, or too large for the format.
    """
    path = Path(path)
    asked = f"picture '{path}'"
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise SinkError(asked, f"unknown kind '{path.suffix}'", "end the name in " + ", ".join(PICTURE_SUFFIXES))
    try:
        good, encoded = cv2.imencode(suffix, bgr, _WRITING.get(suffix.replace("jpeg", "jpg"), ()))
    except cv2.error:
        good = False
    if not good:
        raise SinkError(asked, f"{bgr.shape[1]}x{bgr.shape[0]} does not fit the format", "write a .png")
    aside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        aside.write_bytes(encoded.tobytes())
        aside.replace(path)
    except OSError as error:
        raise SinkError(asked, _reason(error), "choose another place") from None
    finally:
        with suppress(OSError):
            aside.unlink()


class StillSource(FrameSource):
    """One picture as a source of frames.

    Args:
        path: of a picture file.
        fps: how often it comes where it is repeated.
        repeat: False gives one frame and ends (a file to be worked on); True gives the same picture again and again
            at `fps` (something to look at while looks and strengths change).
    """

    def __init__(self, path: Path | str, *, fps: float = 30.0, repeat: bool) -> None:
        self.live = repeat
        self._path, self._fps, self._repeat = Path(path), fps, repeat
        self._closed = threading.Event()
        self._pace = Pace(self._closed, catch_up=False)
        self._bgr: ImageU8 | None = None
        self._pool = FramePool()
        self._frame_id = 0

    def open(self) -> SourceInfo:
        """Read the picture.

        Raises:
            SourceError: no such file, not readable, or not a picture.
        """
        self._bgr = read_picture(self._path)
        size_wh = self._bgr.shape[1], self._bgr.shape[0]
        return SourceInfo(self._path.name, size_wh, self._fps if self._repeat else 0.0, None if self._repeat else 1)

    def read(self) -> Frame | None:
        """The picture, in an array that nobody else holds; None after the only one, or once closed."""
        bgr, frame_id = self._bgr, self._frame_id
        if bgr is None or self._closed.is_set() or (frame_id > 0 and not self._repeat):
            return None
        if self._repeat and not self._pace.hold(frame_id / self._fps):
            return None
        self._frame_id += 1
        own_bgr = self._pool.take(bgr.shape)
        np.copyto(own_bgr, bgr)
        return Frame(own_bgr, frame_id, time.monotonic(), None if self._repeat else 0.0)

    def close(self) -> None:
        """Let the picture go; a waiting `read` returns at once."""
        self._closed.set()
        self._bgr = None


def _reason(error: OSError) -> str:
    words = {
        errno.ENOENT: "there is no such file or folder",
        errno.EISDIR: "that is a folder",
        errno.EACCES: "no permission",
        errno.ENOSPC: "the disk is full",
        errno.EROFS: "the disk is read-only",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def _checked(data: bytes, asked: str) -> bytes:
    """A picture file that may be decoded, without what would only do harm there.

    Raises:
        SourceError: its header says nothing, or too much.
    """
    told_wh = told_size_wh(data)
    whole = whole_png(data) if data.startswith(_PNG) else data
    if told_wh is None or min(told_wh) < 1 or whole is None:
        raise SourceError(asked, "the file is damaged or is no picture", _WAYS)
    if told_wh[0] * told_wh[1] > MOST_PIXELS:
        got = f"{told_wh[0]}x{told_wh[1]} pixels are more than {MOST_PIXELS / 1e6:g} million"
        raise SourceError(asked, got, "make it smaller")
    return _without_png_profile(whole)


def _without_png_profile(data: bytes) -> bytes:
    """A PNG without its colour profile, which is not used here and makes libpng print warnings."""
    place = len(_PNG)
    while data.startswith(_PNG) and place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"iCCP":
            return data[:place] + data[place + length + 12 :]
        if kind == b"IDAT":
            break
        place += length + 12
    return data


def _orientation(data: bytes) -> int:
    """The EXIF orientation, 1 to 8. OpenCV does not apply it when it keeps depth and transparency."""
    marks = (data.startswith(b"\xff\xd8") and b"Exif\x00" in data[:65536], data.startswith(_PNG) and b"eXIf" in data)
    if not any(marks) and not (data[8:12] == b"WEBP" and b"EXIF" in data):
        return 1
    from PIL import Image  # a part of scikit-image's own needs

    try:
        with Image.open(io.BytesIO(data)) as picture:
            return int(picture.getexif().get(0x0112, 1))
    except Exception:  # a broken note about the picture is no reason to refuse the picture
        return 1


def _upright(bgr: ImageU8, orientation: int) -> ImageU8:
    """Undo the camera's orientation (TIFF 6.0, tag 274: how row 0 and column 0 of the file are to be seen)."""
    if orientation in (5, 6, 7, 8):
        bgr = cv2.transpose(bgr)  # type: ignore[assignment]
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    return cv2.flip(bgr, flips[orientation]) if orientation in flips else bgr  # type: ignore[return-value]
