"""Changes that keep an input's form: another value in a JSON tree or a TOML line, a header that still fits its file, an
array in an archive that is whole.

libFuzzer's own changes (bits, pieces, splices, dictionary words) mostly break the form, and then only the outermost
check is seen. Half of the inputs are changed by these instead.
"""

from __future__ import annotations

import io
import json
import random
import re
import struct
import warnings
import zipfile
from typing import Any

_NASTY: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e308, float("inf"),
    float("-inf"), float("nan"), "", " ", "0", "nan", "x" * 300, "x" * 5000, "\n", "\x00", "\x1b[31m", "\ud800", "é",
    "../../x", "/dev/zero", "lips-glaze", "__class__", [], {}, [1, 2], [[]], {"a": 1}, [0.0] * 70,
)  # fmt: skip
_NASTY_TOML = (
    "true", "-1", "0", "1", "9" * 30, "9" * 400, "9" * 5000, "0.5", "inf", "-inf", "nan", '""', '"x"', '"\\u0000"',
    '"\\u001b[31m"', '"\\n"', '"' + "x" * 300 + '"', "[]", "{}", "[1, 2]", "[[]]", "[" * 1200, "1979-05-27",
    "1979-05-27T07:32:00Z", "07:32:00", '"""\na\nb"""', "0x" + "f" * 5000,
    '[{ style = "shade" }]', '[{ style = "toon", region = "lips" }]',
    '"../../x"', '{ a = 1 }', "0x" + "f" * 400, "1e400",
)  # fmt: skip

_NASTY_KINDS = tuple(
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
_NASTY_SHAPES = (
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


def json_changed(data: bytes, chance: random.Random) -> bytes:
    """One to three places of the tree are other values, gone, doubled or renamed."""
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return data
    for _ in range(chance.randint(1, 3)):
        tree = _tree_changed(tree, chance)
    return json.dumps(tree).encode()


def toml_changed(data: bytes, chance: random.Random) -> bytes:
    """A line's value is another one, or a line comes twice, elsewhere, or goes."""
    lines = data.decode("utf-8", "replace").splitlines()
    for _ in range(chance.randint(1, 3)):
        if not lines:
            break
        at = chance.randrange(len(lines))
        line, what = lines[at], chance.randrange(8)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(chance.randrange(len(lines)), line)
        elif what == 2 and line.startswith("["):
            lines[at] = line.replace(line.strip("[]"), chance.choice(("looks", "a.b", '"\\u001b"', "x" * 80, "run")))
        elif "=" in line:
            pieces = line.split("=")
            place = chance.randrange(1, len(pieces))
            tail = pieces[place][pieces[place].find(",") :] if what < 5 and "," in pieces[place] else ""
            pieces[place] = " " + chance.choice(_NASTY_TOML) + tail
            lines[at] = "=".join(pieces)
    return "\n".join(lines).encode()


def safetensors_changed(data: bytes, chance: random.Random) -> bytes:
    """The header's tree is changed and its length fits again, or the tensors' bytes are."""
    if len(data) < 8:
        return data
    length = struct.unpack_from("<Q", data)[0]
    header, body = data[8 : 8 + length], bytearray(data[8 + length :])
    if chance.random() < 0.7:
        header = json_changed(header, chance)
    elif body:
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(len(body))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return struct.pack("<Q", len(header)) + header + bytes(body)


def npz_changed(data: bytes, chance: random.Random) -> bytes:
    """An array's name, header or numbers are changed, or it goes; the archive's own sums are right again."""
    packed = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # what libFuzzer's changes have left is no archive any more
        return data
    for _ in range(chance.randint(1, 3)):
        if not members:
            break
        at = chance.randrange(len(members))
        name, content = members.pop(at)
        if chance.random() < 0.9:
            members.insert(at, _member_changed(name, content, chance))
    with warnings.catch_warnings(), zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # two of one name
        for name, content in members:
            archive.writestr(name, content)
    return packed.getvalue()


def _member_changed(name: str, content: bytes, chance: random.Random) -> tuple[str, bytes]:
    what, header_ends = chance.randrange(8), content.find(b"\n") + 1
    if what == 0:
        return chance.choice(
            (".npy", "x.npy", "0", "0.weight.npy", "9.bias.npy", "-1.x.npy", "kind.npy", "\x1b.npy")
        ), content
    if what == 1:
        return name, content[: chance.randrange(len(content) + 1)]
    if what == 2:
        return name, content + content
    if what < 7 and header_ends > 10:
        header = content[10:header_ends].rstrip()
        spot = rb"'descr': '[^']*'" if what < 5 else rb"\([^()]*\)"
        nasty = _NASTY_KINDS if what < 5 else _NASTY_SHAPES
        header = re.sub(spot, lambda _: chance.choice(nasty), header) + b"\n"
        return name, content[:8] + struct.pack("<H", len(header)) + header + content[header_ends:]
    body = bytearray(content)
    for _ in range(chance.randint(1, 8)) if body else ():
        body[chance.randrange(len(body))] = chance.choice((0, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return name, bytes(body)


def _tree_changed(tree: Any, chance: random.Random) -> Any:
    if not isinstance(tree, (dict, list)) or not tree or chance.random() < 0.1:
        if isinstance(tree, int) and not isinstance(tree, bool) and chance.random() < 0.4:
            return tree + chance.choice((-1, 1, tree, 1 << chance.randrange(40)))
        return chance.choice(_NASTY) if chance.random() < 0.97 else _deep()
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key, what = chance.choice(keys), chance.randrange(8)
    changed = tree.copy()
    if what == 0:
        del changed[key]
    elif what == 1 and isinstance(tree, dict):
        changed[chance.choice(("x", "", "__metadata__", str(key) + "x", *map(str, keys)))] = changed.pop(key)
    elif what == 1:
        changed.insert(key, tree[key])
    else:
        changed[key] = _tree_changed(tree[key], chance)
    return changed


def _deep() -> Any:
    tree: Any = 0
    for _ in range(400):
        tree = [tree]
    return tree
