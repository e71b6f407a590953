"""Picture sizes read from file headers, before decoding: a false size would make the decoder allocate gigabytes.

Field offsets are from the format specifications: PNG (W3C, third edition, 11.2.1), TIFF 6.0 (section 2) and the
Windows bitmap headers, and RFC 9649 (sections 2.5 to 2.7) for WebP, whose canvas Pillow allocates when it opens the
file. Pillow reads JPEG headers.
"""

from __future__ import annotations

import io
import struct

from PIL import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is lower than the one that `read_picture` checks


def header_size_wh(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels; None if the data is not PNG, JPEG, WebP, BMP or TIFF, or is truncated."""
    try:
        if data.startswith(PNG_SIGNATURE):
            return struct.unpack_from(">II", data, 16)
        if data.startswith(b"BM"):
            return _bitmap_size_wh(data)
        if data.startswith((b"II*\0", b"MM\0*")):
            return _tiff_size_wh(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp_size_wh(data)
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as picture:  # does not decode the picture
            return picture.size
    except (struct.error, IndexError, OSError, ValueError, SyntaxError):
        return None


def safe_png(data: bytes) -> bytes | None:
    """Return a PNG up to its last chunk, without its colour profile; None if it is truncated or has no image data.

    OpenCV 4.11 allocates the stated length of a chunk, up to 4 GB, before it checks that the bytes exist. It also
    reads past the last chunk if it has not found image data. The profile is not used and makes libpng print warnings.
    """
    chunks, kinds, offset = [data[: len(PNG_SIGNATURE)]], [b""], len(PNG_SIGNATURE)
    while offset + 12 <= len(data) and kinds[-1] != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, offset)
        start, offset = offset, offset + 12 + int(length)
        kinds.append(kind)
        if kind != b"iCCP":
            chunks.append(data[start:offset])
    is_complete = kinds[-1] == b"IEND" and b"IDAT" in kinds and offset <= len(data)
    return b"".join(chunks) if is_complete else None


def _webp_size_wh(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return (width & 0x3FFF, height & 0x3FFF) if kind == b"VP8 " else None


def _bitmap_size_wh(data: bytes) -> tuple[int, int]:
    """Read either header version; a negative height means top-down rows."""
    is_core_header = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if is_core_header else "<ii", data, 18)
    return abs(width), abs(height)


def _tiff_size_wh(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    tags: dict[int, int] = {}
    for entry in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):  # width, height: 16 or 32 bits
            (tags[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)
    return (tags[256], tags[257]) if len(tags) == 2 else None
