"""What a picture's own header says, read before it is decoded: a false one costs gigabytes in the decoder.

The places are those of the formats' own texts: PNG (W3C, third edition, 11.2.1), JPEG (ITU-T T.81, B.2.2), WebP
(RFC 9649, 2.5 to 2.7), TIFF 6.0 (section 2) and the Windows bitmap headers.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

_PNG = b"\x89PNG\r\n\x1a\n"
_NO_FRAME = (0xC4, 0xC8, 0xCC)  # JPEG markers among the frame headers that are none
_START_OF_SCAN = 0xDA


def told_size_wh(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is no PNG, JPEG, WebP, BMP or TIFF, or is cut off before that."""
    kinds: tuple[tuple[bool, Callable[[bytes], tuple[int, int] | None]], ...] = (
        (data.startswith(_PNG), lambda data: struct.unpack_from(">II", data, 16)),
        (data.startswith(b"\xff\xd8"), _jpeg),
        (data.startswith(b"RIFF") and data[8:12] == b"WEBP", _webp),
        (data.startswith(b"BM"), _bitmap),
        (data.startswith((b"II*\0", b"MM\0*")), _tiff),
    )
    try:
        return next((read(data) for fits, read in kinds if fits), None)
    except (struct.error, IndexError):
        return None


def whole_png(data: bytes) -> bytes | None:
    """A PNG up to its last chunk; None where a chunk does not lie in the file, or no picture is among them.

    OpenCV 4.11 takes memory for as many bytes as a chunk says it has, up to 4 GB, before it looks whether they come;
    and it reads on behind the last one where it has not found a picture yet.
    """
    place, pictured = len(_PNG), False
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        place += 12 + int(length)
        pictured = pictured or kind == b"IDAT"
        if kind == b"IEND":
            return data[:place] if pictured and place <= len(data) else None
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """The largest of all frame headers before the first scan."""
    place, found = 2, []
    while data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF or marker == 0x01 or 0xD0 <= marker <= 0xD8:  # padding; markers that stand alone
            place += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            break
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            height, width = struct.unpack_from(">HH", data, place + 5)
            found.append((width, height))
        place += 2 + int(struct.unpack_from(">H", data, place + 2)[0])
    return max(found, key=lambda size_wh: size_wh[0] * size_wh[1], default=None)


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack_from("<HH", data, 26)
    return (width & 0x3FFF, height & 0x3FFF) if kind == b"VP8 " else None


def _bitmap(data: bytes) -> tuple[int, int]:
    """A negative height means that the rows go down."""
    old = struct.unpack_from("<I", data, 14)[0] == 12
    width, height = struct.unpack_from("<HH" if old else "<ii", data, 18)
    return abs(width), abs(height)


def _tiff(data: bytes) -> tuple[int, int] | None:
    order = "<" if data.startswith(b"II") else ">"
    (place,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, place)
    told: dict[int, int] = {}
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257):  # width, height: 16 or 32 bits
            (told[tag],) = struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)
    return (told[256], told[257]) if len(told) == 2 else None
