"""Inputs that did harm once, each with the parser it did harm to. They are tried in every test run."""

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
_PNG_GOES_ON = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAcAAAAFEAAAAAD8YXVHAAAAVklBVER4nAFLALT/AXmwXlEuWo+GvpIw+ujSAax18bTln3atA6ibVCpUAH/xDdo38SXd"
    "TU0AKg6AANHSArIRquQCruo2PcJtBF6TxxnQAfuQFXL7zx5gfhAkpFdqtIgAAAAASUVORK5CYIJaj4a+kjD66NIBrHXxtA=="
)

FINDS: dict[str, tuple[str, bytes]] = {
    "a looks file nested without end": ("LOOKS", b"a = " + b"[" * 1200),
    "a number with thousands of digits": ("LOOKS", b"[looks.a]\nhold_s = " + b"9" * 5000),
    "the same in sixteens, which is a number": ("LOOKS", b"[looks.a]\nlayers = [0x" + b"f" * 5000 + b"]"),
    "a number beyond the largest float": ("LOOKS", b"[looks.a]\nhold_s = " + b"9" * 400),
    "a style's name longer than a file's may be": (
        "LOOKS",
        b'[looks.a]\nlayers = [{ style = "' + b"x" * 300 + b'" }]',
    ),
    "a name that paints the terminal": ("LOOKS", b'[looks."\\u001b[31m"]\n'),
    "a colour that fills the screen": (
        "LOOKS",
        b'[looks.a]\nlayers = [{ style = "shade", color = "' + b"x" * 5000 + b'" }]',
    ),
    "settings nested without end": ("SETTINGS", b"a = " + b"[" * 1200),
    "settings with thousands of digits": ("SETTINGS", b"[run]\nfps = " + b"9" * 5000),
    "frames beyond the largest float": ("SETTINGS", b"[run]\nframes = " + b"9" * 400),
    "an answer without end": ("ANSWER", json.dumps({"ok": False, "error": "x" * 5000}).encode()),
    "an answer that paints the terminal": ("ANSWER", b'{"ok": true, "says": "\\u001b[2J\\ud800"}'),
    "a port that is no number": ("PORT_FILE", b'{"port": -Infinity}'),
    "a token file nested without end": ("PORT_FILE", b"[" * 4000),
    "a card with a text for a colour": (
        "CARD",
        json.dumps({"generator": "lip_net", "region": "lips", "lips_mean_bgr": [1, 2, "x" * 5000]}).encode(),
    ),
    "a card with a colour that is none": (
        "CARD",
        b'{"generator": "lip_net", "size_wh": [90, 30], "lips_mean_bgr": [NaN, Infinity, -1]}',
    ),
    "a card for a generator of eighty gigabytes": (
        "CARD",
        json.dumps(
            {**samples.CARD, "generator_args": {"channels": 1024, "deep": 1024, "blocks": 1024}}
        ).encode(),
    ),
    "a calibration set nested without end": ("SET_MARKER", b"[" * 16000),
    "a checkpoint whose state is a list": ("CHECKPOINT", _state([1])),
    "a checkpoint whose config is a number": ("CHECKPOINT", _state({"format": 2, "method": "paired", "config": 3})),
    "a marker nested without end": ("MARKER", b"[" * 16000),
    "an archive of a version to come": ("REGION", _regions_with()[:-22].replace(b"PK\x01\x02-", b"PK\x01\x02\xce")
                                        + _regions_with()[-22:]),
    "an array whose header does not end": ("REGION", _npz(landmarks_xy=_npy("{'descr': (("))),
    "an array that is none": ("REGION", _npz(landmarks_xy=b"", person=b"", kind=b"")),
    "a mask without a pixel": ("REGION", _regions_with(person=np.zeros((0, 8), np.uint8))),
    "VGG weights of four terabytes": (
        "VGG", _npz(**{"0.weight": _npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }")}),
    ),
    "VGG weights whose header does not end": ("VGG", _npz(**{"0.weight": _npy("{'descr': ((")})),
    "VGG weights that are one array alone": (
        "VGG", _npy("{'descr': '|u1', 'fortran_order': False, 'shape': (), }") + b"x",
    ),
    "a picture's chunk of three gigabytes": ("PICTURE", _PNG),
    "the same behind the picture's end": ("PICTURE", _PNG_GOES_ON),
}  # fmt: skip
