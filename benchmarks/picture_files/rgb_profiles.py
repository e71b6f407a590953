"""RGB colour profiles built from their primaries, and colours measured by them without a colour management library."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.color import xyz2lab

D50_XYZ = (0.9642, 1.0, 0.8249)  # the white of ICC's connection space
_D50_TO_D65 = np.array([[0.9556, -0.0230, 0.0632], [-0.0283, 1.0099, 0.0210], [0.0123, -0.0205, 1.3299]])  # Bradford


@dataclass(frozen=True)
class RgbProfile:
    """A matrix profile with one gamma.

    Attributes:
        name: In the profile's description.
        xyz: (3, 3), a row of XYZ under D50 for each of red, green and blue.
        gamma: Exponent of the tone curve; None for that of sRGB.
    """

    name: str
    xyz: tuple[tuple[float, float, float], ...]
    gamma: float | None

    def icc(self) -> bytes:
        """Return the profile's bytes, version 2 (ICC.1:2001-04)."""
        curve = np.rint(self._linear(np.linspace(0, 1, 1024)) * 65535).astype(">u2").tobytes()
        trc = b"curv" + struct.pack(">II", 0, 1024) + curve
        text = self.name.encode() + b"\0"
        desc = b"desc" + struct.pack(">II", 0, len(text)) + text + bytes(78)
        parts = {b"desc": desc, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(D50_XYZ)}
        parts |= {tag: _xyz(xyz) for tag, xyz in zip((b"rXYZ", b"gXYZ", b"bXYZ"), self.xyz, strict=True)}
        parts |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), trc)
        table, body, offset = struct.pack(">I", len(parts)), b"", 128 + 4 + 12 * len(parts)
        for tag, data in parts.items():
            data += bytes(-len(data) % 4)
            table += struct.pack(">4sII", tag, offset + len(body), len(data))
            body += data
        head = struct.pack(
            ">I4sI4s4s4s12s4s", offset + len(body), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ ", bytes(12), b"acsp"
        )
        return head.ljust(68, b"\0") + _xyz(D50_XYZ)[8:].ljust(60, b"\0") + table + body

    def lab(self, rgb: NDArray[Any]) -> NDArray[np.float64]:
        """Return CIE L*a*b* (D65, 2 degrees), (..., 3), of RGB of the same shape, uint8 or uint16."""
        linear = self._linear(rgb / np.iinfo(rgb.dtype).max)
        xyz = linear @ np.array(self.xyz) @ _D50_TO_D65.T
        return np.asarray(xyz2lab(xyz, illuminant="D65"))

    def encoded(self, other: RgbProfile, rgb: NDArray[np.uint8], dtype: type = np.uint8) -> NDArray[Any]:
        """Convert (H, W, 3) uint8 RGB of another profile to this one, as `dtype`, uint8 or uint16."""
        linear = other._linear(rgb / 255) @ np.array(other.xyz) @ np.linalg.inv(np.array(self.xyz))
        linear = np.clip(linear, 0, 1)
        gamma = self.gamma
        shown = (
            linear ** (1 / gamma)
            if gamma
            else np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
        )
        return np.asarray(np.rint(shown * np.iinfo(dtype).max), dtype)

    def _linear(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.gamma:
            return np.asarray(values**self.gamma)
        return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


SRGB = RgbProfile("sRGB", ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)), None)
ADOBE_RGB = RgbProfile(
    "Adobe RGB", ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457)), 2.19921875
)
PROPHOTO = RgbProfile("ProPhoto", ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491)), 1.8)
DISPLAY_P3 = RgbProfile(
    "Display P3", ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)), None
)


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))
