"""PNG with 16 bits, and TIFF with 8 or 16: Pillow writes neither 16-bit colour nor EXIF into compressed TIFF."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image
from PIL.ExifTags import IFD
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from live.picture_files.picture import Picture, Pixels

_STRIP_ROWS = 64
_AFTER_HEADER = 33  # where the chunks of a PNG begin that must precede the pixels: after signature and IHDR


def encode_png16(picture: Picture, icc: bytes) -> bytes:
    """Encode a picture of 16 bits, with its profile and EXIF.

    Chunks: PNG (W3C, third edition), 11.3.2.3 iCCP and 11.3.4.5 eXIf.
    """
    channels = _channels(picture)
    if channels.shape[2] >= 3:
        channels = channels[:, :, [2, 1, 0, 3][: channels.shape[2]]]
    is_encoded, encoded = cv2.imencode(".png", channels, (cv2.IMWRITE_PNG_COMPRESSION, 4))
    if not is_encoded:
        raise OSError("OpenCV cannot encode it")
    data = encoded.tobytes()
    more = _chunk(b"iCCP", b"profile\0\0" + zlib.compress(icc)) if icc else b""
    more += _chunk(b"eXIf", picture.exif.removeprefix(b"Exif\0\0")) if picture.exif else b""
    return data[:_AFTER_HEADER] + more + data[_AFTER_HEADER:]


def encode_tiff(picture: Picture, icc: bytes) -> bytes:
    """Encode a picture of 8 or 16 bits as a little-endian TIFF: Deflate with horizontal differences (TIFF 6.0)."""
    channels = _channels(picture)
    height, width, count = channels.shape
    strips = [_strip(channels[top : top + _STRIP_ROWS]) for top in range(0, height, _STRIP_ROWS)]
    directory = ImageFileDirectory_v2(b"II*\0\x08\0\0\0")
    exif = Image.Exif()
    exif.load(picture.exif)
    for tag in exif:
        value = exif.get_ifd(tag) if tag in (IFD.Exif, IFD.GPSInfo) else exif[tag]
        directory[tag] = value.encode("latin-1", "replace") if isinstance(value, str) else value  # else only ASCII
    directory[256], directory[257], directory[258] = width, height, (8 * channels.itemsize,) * count
    directory[259], directory[262], directory[277] = 8, 1 if count == 1 else 2, count
    directory[278], directory[317], directory[284] = _STRIP_ROWS, 2, 1
    directory[279] = tuple(len(strip) for strip in strips)
    directory[273] = tuple(int(start) for start in np.cumsum([0, *directory[279][:-1]]))  # Pillow adds the beginning
    if count == 4:
        directory[338] = 2  # alpha that the colours are not multiplied by
    if icc:
        directory[34675] = icc
    file = io.BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(strips)


def _channels(picture: Picture) -> Pixels:
    """Return (H, W, 1, 3 or 4): grey, RGB, or RGB with alpha."""
    if picture.alpha is not None:
        return np.dstack([picture.rgb, picture.alpha])
    return picture.rgb[:, :, :1] if picture.is_grey else picture.rgb


def _strip(rows: Pixels) -> bytes:
    little = rows.astype(rows.dtype.newbyteorder("<"))
    little[:, 1:] = np.diff(rows, axis=1)  # modulo the range of the type
    return zlib.compress(little.tobytes(), 5)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
