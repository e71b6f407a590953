"""Kind and size of a picture, read from its header before decoding: a false size would allocate gigabytes.

Field offsets are from the format specifications: PNG (W3C, third edition, 11.2.1), TIFF 6.0 (section 2), GIF89a
(section 18), the Windows bitmap headers, and RFC 9649 (sections 2.5 to 2.7) for WebP, whose canvas the decoder
allocates when it opens the file. Pillow reads the headers of JPEG, AVIF and HEIC without decoding them.
"""

from __future__ import annotations

import struct

_MAX_DEFLATE = 1032
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_AVIF_BRANDS = (b"avif", b"avis")
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1")  # single pictures; sequences are films


def picture_kind(start: bytes) -> str | None:
    """Return Pillow's name of the format, from the first 32 bytes or more; None if it is no known picture."""
    if start[4:8] == b"ftyp":
        brands = start[8:12], start[16:20], start[20:24], start[24:28], start[28:32]
        if brands[0] in _AVIF_BRANDS or (brands[0] == b"mif1" and b"avif" in brands):
            return "AVIF"
        return "HEIF" if brands[0] in _HEIF_BRANDS else None
    if start[:4] == b"RIFF":
        return "WEBP" if start[8:12] == b"WEBP" else None
    signatures = {
        PNG_SIGNATURE: "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP", b"II*\0": "TIFF", b"MM\0*": "TIFF",
    }  # fmt: skip
    return next((kind for signature, kind in signatures.items() if start.startswith(signature)), None)


def header_size_wh(data: bytes, kind: str) -> tuple[int, int] | None:
    """Return the width and height in pixels; None if the header is truncated or another decoder reads it (JPEG...)."""
    try:
        if kind == "PNG":
            return struct.unpack_from(">II", data, 16)
        if kind == "GIF":
            return struct.unpack_from("<HH", data, 6)
        reader = {"BMP": _bitmap_size_wh, "TIFF": _tiff_size_wh, "WEBP": _webp_size_wh}.get(kind)
        return reader(data) if reader else None
    except (struct.error, IndexError):
        return None


def avif_bits(data: bytes) -> int:
    """Return the bits per channel of an AVIF: 8, 10 or 12, from its `av1C` box (AV1 in ISOBMFF, section 2.3.3)."""
    flags = data[data.find(b"av1C") + 6 :][:1] if b"av1C" in data else b""
    return 8 if not flags or not flags[0] & 0x40 else 12 if flags[0] & 0x20 else 10


def can_hold_pixels(data: bytes, size_wh: tuple[int, int]) -> bool:
    """Whether a PNG is long enough for its size; Pillow fills up what is missing, from a few bytes gigabytes.

    Deflate compresses at most 1032 times (RFC 1951: 258 bytes in two bits).
    """
    if len(data) < 26:
        return False
    channels = {2: 3, 4: 2, 6: 4}.get(data[25], 1)
    row_bytes = size_wh[0] * channels * data[24] // 8
    return size_wh[1] * row_bytes <= _MAX_DEFLATE * len(data)


def safe_png(data: bytes) -> bytes | None:
    """Return a PNG up to its last chunk, without its colour profile; None if it is truncated or has no image data.

    OpenCV 4.11 allocates the stated length of a chunk, up to 4 GB, before it checks that the bytes exist. It also
    reads past the last chunk if it has not found image data. The profile makes libpng print warnings.
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
