"""Still pictures: reading, writing, and one picture as a frame source."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from engines.errors import SinkError, SourceError
from engines.files import atomic_write
from engines.untrusted_files import read_whole
from live.pipeline.frame import Frame, ImageU8, as_bgr
from live.pipeline.frame_pool import FramePool
from live.recording.recording_file import error_text
from live.sources.base import FrameSource, SourceInfo
from live.sources.pace import Pace
from live.sources.picture_header import PNG_SIGNATURE, header_size_wh, safe_png

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
MAX_PIXELS = 120_000_000  # above the largest phone cameras; 360 MB as BGR
_MAX_BYTES = 500_000_000
_READABLE_KINDS = "pictures are read from png, jpg, webp, bmp and tiff files"
_ENCODER_OPTIONS = {
    ".jpg": (cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    ".webp": (cv2.IMWRITE_WEBP_QUALITY, 95),
    ".png": (cv2.IMWRITE_PNG_COMPRESSION, 4),
}
_FLIP_CODES = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}  # by EXIF orientation, after the transposition of 5 to 8


def read_picture(path: Path | str) -> ImageU8:
    """Read a picture file, with its EXIF orientation applied.

    Grey and 16-bit pictures are converted; transparent pictures are blended over white; of several pages the first
    is read.

    Returns:
        (H, W, 3) uint8, BGR, 0..255.

    Raises:
        SourceError: The file does not exist, cannot be read, is not a picture, or has more than 120 megapixels.
    """
    requested = f"picture '{path}'"
    try:
        data = read_whole(Path(path), _MAX_BYTES)
    except OSError as error:
        raise SourceError(requested, error_text(error)) from None
    if not data:
        raise SourceError(requested, "the file is empty", "make or copy it again")
    data = _decodable(data, requested)
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise SourceError(requested, "the file is damaged or is no picture", _READABLE_KINDS)
        return _oriented(as_bgr(decoded), _exif_orientation(data))
    except (cv2.error, ValueError, MemoryError):
        raise SourceError(requested, "the picture is too large or of an unknown kind", _READABLE_KINDS) from None


def write_picture(path: Path | str, bgr: ImageU8) -> None:
    """Write a picture in the format of its suffix; an existing file is replaced atomically.

    Args:
        path: Ends in .png, .jpg, .webp, .bmp or .tiff.
        bgr: (H, W, 3) uint8, BGR, 0..255.

    Raises:
        SinkError: The suffix is unknown, the folder is missing or not writable, the disk is full, or the picture is
            too large for the format.
    """
    path = Path(path)
    requested = f"picture '{path}'"
    suffix = path.suffix.lower()
    if suffix not in PICTURE_SUFFIXES:
        raise SinkError(requested, f"unknown kind '{path.suffix}'", "end the name in " + ", ".join(PICTURE_SUFFIXES))
    try:
        is_encoded, encoded = cv2.imencode(suffix, bgr, _ENCODER_OPTIONS.get(suffix.replace("jpeg", "jpg"), ()))
    except cv2.error:
        is_encoded = False
    if not is_encoded:
        raise SinkError(requested, f"{bgr.shape[1]}x{bgr.shape[0]} does not fit the format", "write a .png")
    try:
        atomic_write(path, encoded.tobytes())
    except OSError as error:
        raise SinkError(requested, error_text(error), "choose another place") from None


class StillPictureSource(FrameSource):
    """One picture as a frame source.

    Args:
        path: The picture file.
        fps: Frame rate of a repeated picture.
        repeat: False returns one frame and ends (file processing); True returns the picture at `fps` without end
            (preview of looks and strengths).
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
            SourceError: As `read_picture`.
        """
        self._bgr = read_picture(self._path)
        size_wh = self._bgr.shape[1], self._bgr.shape[0]
        return SourceInfo(self._path.name, size_wh, self._fps if self._repeat else 0.0, None if self._repeat else 1)

    def read(self) -> Frame | None:
        """Return the picture in an array of its own; None after the only frame, or once closed."""
        bgr, frame_id = self._bgr, self._frame_id
        if bgr is None or self._closed.is_set() or (frame_id > 0 and not self._repeat):
            return None
        if self._repeat and not self._pace.wait_until(frame_id / self._fps):
            return None
        self._frame_id += 1
        copy_bgr = self._pool.take(bgr.shape)
        np.copyto(copy_bgr, bgr)
        return Frame(copy_bgr, frame_id, time.monotonic(), None if self._repeat else 0.0)

    def close(self) -> None:
        """Release the picture; a waiting `read` returns at once."""
        self._closed.set()
        self._bgr = None


def _decodable(data: bytes, requested: str) -> bytes:
    """Check the header; return the data, of a PNG without the parts that harm the decoder.

    Raises:
        SourceError: The header states no size or one above the limit, or the PNG is damaged.
    """
    size_wh = header_size_wh(data)
    safe = safe_png(data) if data.startswith(PNG_SIGNATURE) else data
    if size_wh is None or min(size_wh) < 1 or safe is None:
        raise SourceError(requested, "the file is damaged or is no picture", _READABLE_KINDS)
    if size_wh[0] * size_wh[1] > MAX_PIXELS:
        got = f"{size_wh[0]}x{size_wh[1]} pixels are more than {MAX_PIXELS / 1e6:g} million"
        raise SourceError(requested, got, "make it smaller")
    return safe


def _exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation, 1 to 8; OpenCV does not apply it when it keeps depth and transparency."""
    in_jpeg = data.startswith(b"\xff\xd8") and b"Exif\x00" in data[:65536]
    in_png = data.startswith(PNG_SIGNATURE) and b"eXIf" in data
    if not in_jpeg and not in_png and not (data[8:12] == b"WEBP" and b"EXIF" in data):
        return 1
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return int(picture.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata does not make the picture unusable
        return 1


def _oriented(bgr: ImageU8, orientation: int) -> ImageU8:
    """Apply the orientation (TIFF 6.0, tag 274: the visual position of row 0 and column 0)."""
    if orientation in (5, 6, 7, 8):
        bgr = cv2.transpose(bgr)  # type: ignore[assignment]
    return cv2.flip(bgr, _FLIP_CODES[orientation]) if orientation in _FLIP_CODES else bgr  # type: ignore[return-value]
