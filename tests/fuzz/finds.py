"""Inputs that once caused a fault, each with its parser; they run in every test run."""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
from typing import Any

import numpy as np

from tests.fuzz import samples


def _npz(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return packed.getvalue()


def _npy(header: str) -> bytes:
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _regions_with(**changed: Any) -> bytes:
    arrays = {"landmarks_xy": np.ones((478, 2), np.float32), "person": np.zeros((8, 8), np.uint8), "kind": "head"}
    packed = io.BytesIO()
    np.savez(packed, **{name: np.asarray(value) for name, value in {**arrays, **changed}.items()})
    return packed.getvalue()


def _state(state: Any) -> bytes:
    from safetensors.torch import save

    return save({}, {"state": json.dumps(state)})


_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFEAAAAAARquQCruo2PcJtBF6TxxnQAfuQFXL7zx5gfhAkpFdqtIgAAAAASUVORK5CYII="
)
_PNG_WITH_TRAILER = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFEAAAAAD8YXVHAAAAVklBVER4nAFLALT/AXmwXlEuWo+GvpIw+ujSAax18bTln3atA6ibVCpUAH/xDdo38SXd"
    "TU0AKg6AANHSArIRquQCruo2PcJtBF6TxxnQAfuQFXL7zx5gfhAkpFdqtIgAAAAASUVORK5CYIJaj4a+kjD66NIBrHXxtA=="
)

FINDS: dict[str, tuple[str, bytes]] = {
    "deeply nested looks file": ("LOOKS", b"a = " + b"[" * 1200),
    "integer with thousands of digits": ("LOOKS", b"[looks.a]\nhold_s = " + b"9" * 5000),
    "hexadecimal integer with thousands of digits": ("LOOKS", b"[looks.a]\nlayers = [0x" + b"f" * 5000 + b"]"),
    "integer beyond the largest float": ("LOOKS", b"[looks.a]\nhold_s = " + b"9" * 400),
    "style name longer than a file name": (
        "LOOKS",
        b'[looks.a]\nlayers = [{ style = "' + b"x" * 300 + b'" }]',
    ),
    "look name with an escape sequence": ("LOOKS", b'[looks."\\u001b[31m"]\n'),
    "very long colour": (
        "LOOKS",
        b'[looks.a]\nlayers = [{ style = "shade", color = "' + b"x" * 5000 + b'" }]',
    ),
    "deeply nested settings": ("SETTINGS", b"a = " + b"[" * 1200),
    "settings with thousands of digits": ("SETTINGS", b"[run]\nfps = " + b"9" * 5000),
    "source with thousands of hexadecimal digits": ("SETTINGS", b"[run]\nsource = 0x" + b"f" * 5000),
    "frames beyond the largest float": ("SETTINGS", b"[run]\nframes = " + b"9" * 400),
    "very long answer": ("ANSWER", json.dumps({"ok": False, "error": "x" * 5000}).encode()),
    "answer with an escape sequence": ("ANSWER", b'{"ok": true, "says": "\\u001b[2J\\ud800"}'),
    "infinite port number": ("PORT_FILE", b'{"port": -Infinity}'),
    "deeply nested token file": ("PORT_FILE", b"[" * 4000),
    "card with a text as colour": (
        "CARD",
        json.dumps({"generator": "lip_net", "region": "lips", "lips_mean_bgr": [1, 2, "x" * 5000]}).encode(),
    ),
    "card with NaN as colour": (
        "CARD",
        b'{"generator": "lip_net", "size_wh": [90, 30], "lips_mean_bgr": [NaN, Infinity, -1]}',
    ),
    "card of an 80 GB generator": (
        "CARD",
        json.dumps(
            {**samples.CARD, "generator_args": {"channels": 1024, "deep": 1024, "blocks": 1024}}
        ).encode(),
    ),
    "deeply nested set marker": ("SET_MARKER", b"[" * 16000),
    "checkpoint state that is a list": ("CHECKPOINT", _state([1])),
    "a checkpoint whose config is a number": ("CHECKPOINT", _state({"format": 2, "method": "paired", "config": 3})),
    "deeply nested pairs marker": ("MARKER", b"[" * 16000),
    "archive of an unknown version": ("REGION", _regions_with()[:-22].replace(b"PK\x01\x02-", b"PK\x01\x02\xce")
                                        + _regions_with()[-22:]),
    "array with an open header": ("REGION", _npz(landmarks_xy=_npy("{'descr': (("))),
    "empty array": ("REGION", _npz(landmarks_xy=b"", person=b"", kind=b"")),
    "mask without pixels": ("REGION", _regions_with(person=np.zeros((0, 8), np.uint8))),
    "VGG weights of 4 TB": (
        "VGG", _npz(**{"0.weight": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }")}),
    ),
    "VGG weights with an open header": ("VGG", _npz(**{"0.weight": _npy("{'descr': ((")})),
    "VGG weights as a single array": (
        "VGG", _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (), }") + b"x",
    ),
    "picture chunk of 3 GB": ("PICTURE", _PNG),
    "large chunk after the picture's end": ("PICTURE", _PNG_WITH_TRAILER),
}  # fmt: skip
