"""Picture sizes read from file headers, before decoding: a false size would make the decoder allocate gigabytes.

Field offsets are from the format specifications: PNG (W3C, third edition, 11.2.1), JPEG (ITU-T T.81, B.2.2), WebP
(RFC 9649, 2.5 to 2.7), TIFF 6.0 (section 2) and the Windows bitmap headers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_NOT_FRAME_HEADERS = (0xC4, 0xC8, 0xCC)  # JPEG markers within the range of the frame headers
_START_OF_SCAN = 0xDA


def header_size_wh(data: bytes) -> tuple[int, int] | None:
    """Return the width and height in pixels; None if the data is not PNG, JPEG, WebP, BMP or TIFF, or is truncated."""
    formats: tuple[tuple[bool, Callable[[bytes], tuple[int, int] | None]], ...] = (
        (data.startswith(PNG_SIGNATURE), lambda data: struct.unpack_from(">II", data, 16)),
        (data.startswith(b"\xff\xd8"), _jpeg_size_wh),
        (data.startswith(b"RIFF") and data[8:12] == b"WEBP", _webp_size_wh),
        (data.startswith(b"BM"), _bitmap_size_wh),
        (data.startswith((b"II*\0", b"MM\0*")), _tiff_size_wh),
    )
    try:
        return next((read(data) for matches, read in formats if matches), None)
    except (struct.error, IndexError):
        return None


def trim_png(data: bytes) -> bytes | None:
    """Return a PNG up to its last chunk; None if a chunk exceeds the file or there is no image data.

    OpenCV 4.11 allocates the stated length of a chunk, up to 4 GB, before it checks that the bytes exist. It also
    reads past the last chunk if it has not found image data.
    """
    offset, has_image = len(PNG_SIGNATURE), False
    while offset + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        offset += 12 + int(length)
        has_image = has_image or kind == b"IDAT"
        if kind == b"IEND":
            return data[:offset] if has_image and offset <= len(data) else None
    return None


def strip_png_profile(data: bytes) -> bytes:
    """Return a PNG without its colour profile, which is not used and makes libpng print warnings."""
    offset = len(PNG_SIGNATURE)
    while data.startswith(PNG_SIGNATURE) and offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"iCCP":
            return data[:offset] + data[offset + length + 12 :]
        if kind == b"IDAT":
            break
        offset += length + 12
    return data


def _jpeg_size_wh(data: bytes) -> tuple[int, int] | None:
    """Return the largest size of all frame headers before the first scan."""
    offset, sizes_wh = 2, []
    while data[offset] == 0xFF:
        marker = data[offset + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # padding, or a marker without a payload
            offset += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            break
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAME_HEADERS:
            height, width = struct.unpack_from(">HH", data, offset + 5)
            sizes_wh.append((width, height))
        offset += 2 + int(struct.unpack_from(">H", data, offset + 2)[0])
    return max(sizes_wh, key=lambda size_wh: size_wh[0] * size_wh[1], default=None)


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
