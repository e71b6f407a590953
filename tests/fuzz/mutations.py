"""Mutations that keep the format: another value in a JSON tree or TOML line, a consistent header, a valid archive.

libFuzzer's own mutations (bits, chunks, splices, dictionary words) mostly break the format, so that only the outermost
check of a parser runs. Half of the inputs are mutated by these functions instead.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import warnings
import zipfile
import zlib
from typing import Any

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, float("inf"),
    float("-inf"), float("nan"), "", " ", "0", "nan", "x" * 300, "x" * 5000, "\n", "\x00", "\x1b[31m", "\ud800", "é",
    "../../x", "/dev/zero", "lips-glaze", "__class__", [], {}, [1, 2], [[]], {"a": 1}, [0.0] * 70,
)  # fmt: skip
_TOML_VALUES = (
    "true", "-1", "0", "1", "9" * 30, "9" * 400, "9" * 5000, "0.5", "inf", "-inf", "nan", '""', '"x"', '"\\u0000"',
    '"\\u001b[31m"', '"\\n"', '"' + "x" * 300 + '"', "[]", "{}", "[1, 2]", "[[]]", "[" * 1200, "1979-05-27",
    "1979-05-27T07:32:00Z", "07:32:00", '"""\na\nb"""', "0x" + "f" * 5000,
    '[{ style = "shade" }]', '[{ style = "toon", region = "lips" }]',
    '"../../x"', '{ a = 1 }', "0x" + "f" * 400, "1e400",
)  # fmt: skip

_MEDIA_HEADERS = re.compile(
    rb"moov|mvhd|tkhd|elst|stsd|stts|ctts|stsc|stsz|stco|avcC|hvcC|colr|iloc|iprp|\x15I\xa9f|\x16T\xaek|\x1fC\xb6u|"
    rb"strh|strf|idx1|IHDR|PLTE|acTL|fcTL|VP8|ANMF|\xff\xc0|\xff\xc2|\xff\xda|Exif|\x00\x00\x01[\x00\xb3\xba]"
)
_NPY_TYPES = tuple(
    f"'descr': {kind}".encode()
    for kind in (
        "'<f2'",
        "'>f8'",
        "'<c8'",
        "'|O'",
        "'<M8[s]'",
        "'<U9'",
        "'|S0'",
        "'|V0'",
        "'|b1'",
        "[('a', '<f4')]",
        "7",
        "((",
    )
)
_NPY_SHAPES = (
    b"()",
    b"(0,)",
    b"(-1,)",
    b"(3, 3)",
    b"(1000000000000,)",
    b"(9, 1000000000)",
    b"(1.5,)",
    b"(((",
    b"None",
)


def mutate_json(data: bytes, rng: random.Random) -> bytes:
    """Replace, delete, duplicate or rename one to three values of the tree."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(rng.randint(1, 3)):
        tree = _mutate_tree(tree, rng)
    return json.dumps(tree).encode()


def mutate_toml(data: bytes, rng: random.Random) -> bytes:
    """Replace the value of a line, or duplicate or delete a line, up to three times."""
    lines = data.decode("utf-8", "replace").splitlines()
    for _ in range(rng.randint(1, 3)):
        if not lines:
            break
        at = rng.randrange(len(lines))
        line, what = lines[at], rng.randrange(8)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(rng.randrange(len(lines)), line)
        elif what == 2 and line.startswith("["):
            lines[at] = line.replace(line.strip("[]"), rng.choice(("looks", "a.b", '"\\u001b"', "x" * 80, "run")))
        elif "=" in line:
            pieces = line.split("=")
            place = rng.randrange(1, len(pieces))
            tail = pieces[place][pieces[place].find(",") :] if what < 5 and "," in pieces[place] else ""
            pieces[place] = " " + rng.choice(_TOML_VALUES) + tail
            lines[at] = "=".join(pieces)
    return "\n".join(lines).encode()


def mutate_safetensors(data: bytes, rng: random.Random) -> bytes:
    """Change the header, with a correct length, or bytes of the tensors."""
    if len(data) < 8:
        return data
    length = struct.unpack_from("<Q", data)[0]
    header, body = data[8 : 8 + length], bytearray(data[8 + length :])
    if rng.random() < 0.7:
        header = mutate_json(header, rng)
    elif body:
        for _ in range(rng.randint(1, 8)):
            body[rng.randrange(len(body))] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return struct.pack("<Q", len(header)) + header + bytes(body)


def mutate_npz(data: bytes, rng: random.Random) -> bytes:
    """Change the name, header or numbers of an array, or delete it, with correct checksums."""
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # libFuzzer's mutations have broken the archive
        return data
    for _ in range(rng.randint(1, 3)):
        if not members:
            break
        at = rng.randrange(len(members))
        name, content = members.pop(at)
        if rng.random() < 0.9:
            members.insert(at, _mutate_member(name, content, rng))
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # duplicate names
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def mutate_media(data: bytes, rng: random.Random) -> bytes:
    """Change one to six places in the headers of a picture or film; a PNG gets correct checksums again."""
    changed = bytearray(data)
    starts = [0, *(match.start() for match in _MEDIA_HEADERS.finditer(data))]
    for _ in range(rng.choice((1, 1, 2, 3, 6))):
        if len(changed) < 16:
            break
        at = min(len(changed) - 1, rng.choice(starts) + rng.randrange(64))
        what = rng.randrange(8)
        if what < 3:
            changed[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        elif what == 3:
            changed[at] ^= 1 << rng.randrange(8)
        elif what == 4:
            changed[at : at + 4] = struct.pack(">I", rng.choice((0, 1, 1 << 16, (1 << 31) - 1, (1 << 32) - 1)))
        elif what == 5:
            del changed[at : at + rng.randrange(1, 40)]
        elif what == 6:
            changed[at:at] = changed[at : at + rng.randrange(1, 80)]
        else:
            del changed[rng.randrange(len(changed) // 2, len(changed)) :]
    return _with_checksums(bytes(changed)) if rng.random() < 0.8 else bytes(changed)


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksum that each chunk must have; other data unchanged."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    changed, at = bytearray(data), 8
    while at + 12 <= len(changed):
        end = at + 8 + struct.unpack_from(">I", changed, at)[0]
        if end + 4 > len(changed):
            break
        struct.pack_into(">I", changed, end, zlib.crc32(changed[at + 4 : end]))
        at = end + 4
    return bytes(changed)


def _mutate_member(name: str, content: bytes, rng: random.Random) -> tuple[str, bytes]:
    what, header_ends = rng.randrange(8), content.find(b"\n") + 1
    if what == 0:
        return rng.choice(
            (".npy", "x.npy", "0", "0.weight.npy", "9.bias.npy", "-1.x.npy", "kind.npy", "\x1b.npy")
        ), content
    if what == 1:
        return name, content[: rng.randrange(len(content) + 1)]
    if what == 2:
        return name, content + content
    if what < 7 and header_ends > 10:
        header = content[10:header_ends].rstrip()
        spot = rb"'descr': '[^']*'" if what < 5 else rb"\([^()]*\)"
        nasty = _NPY_TYPES if what < 5 else _NPY_SHAPES
        header = re.sub(spot, lambda _: rng.choice(nasty), header) + b"\n"
        return name, content[:8] + struct.pack("<H", len(header)) + header + content[header_ends:]
    body = bytearray(content)
    for _ in range(rng.randint(1, 8)) if body else ():
        body[rng.randrange(len(body))] = rng.choice((0, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return name, bytes(body)


def _mutate_tree(tree: Any, rng: random.Random) -> Any:
    if not isinstance(tree, (dict, list)) or not tree or rng.random() < 0.1:
        if isinstance(tree, int) and not isinstance(tree, bool) and rng.random() < 0.4:
            return tree + rng.choice((-1, 1, tree, 1 << rng.randrange(40)))
        return rng.choice(_VALUES) if rng.random() < 0.97 else _deep()
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key, what = rng.choice(keys), rng.randrange(8)
    changed = tree.copy()
    if what == 0:
        del changed[key]
    elif what == 1 and isinstance(tree, dict):
        changed[rng.choice(("x", "", "__metadata__", str(key) + "x", *map(str, keys)))] = changed.pop(key)
    elif what == 1:
        changed.insert(key, tree[key])
    else:
        changed[key] = _mutate_tree(tree[key], rng)
    return changed


def _deep() -> Any:
    tree: Any = 0
    for _ in range(400):
        tree = [tree]
    return tree
