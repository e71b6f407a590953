"""ICC colour profiles: conversion to sRGB for rendering, and of the painted pixels back."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from live.pipeline.frame import ImageU8

_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_CUBE = np.stack(np.meshgrid(*[np.linspace(0, 255, 9).astype(np.uint8)] * 3), -1).reshape(1, -1, 3)
_MAX_SRGB_ERROR = 2  # levels; profiles called sRGB differ by that much


class ColourProfile:
    """An embedded RGB profile.

    Args:
        icc: The bytes of the profile.

    Raises:
        ValueError: The profile is damaged, is not one of an RGB picture, or converts in one direction only.
    """

    def __init__(self, icc: bytes) -> None:
        self.icc = icc
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            srgb = ImageCms.createProfile("sRGB")
            self._to_srgb = ImageCms.buildTransform(profile, srgb, "RGB", "RGB", _INTENT)
            self._from_srgb = ImageCms.buildTransform(srgb, profile, "RGB", "RGB", _INTENT)
            seen = _apply(self._to_srgb, _CUBE)
        except Exception as error:  # Pillow raises several types
            raise ValueError(str(error)) from None
        self._is_srgb = bool(np.abs(seen.astype(np.int16) - _CUBE).max() <= _MAX_SRGB_ERROR)

    def to_srgb(self, rgb: ImageU8) -> ImageU8:
        """Convert (H, W, 3) uint8 RGB of this profile to sRGB; colours outside sRGB are clipped."""
        return rgb if self._is_srgb else _apply(self._to_srgb, rgb)

    def from_srgb(self, rgb: ImageU8) -> ImageU8:
        """Convert (H, W, 3) uint8 sRGB to RGB of this profile."""
        return rgb if self._is_srgb else _apply(self._from_srgb, rgb)


def as_srgb(picture: Image.Image) -> Image.Image:
    """Convert a picture that is not RGB (CMYK, Lab, grey) to sRGB, by its profile if it has a usable one."""
    icc = picture.info.get("icc_profile")
    if icc and picture.mode in ("CMYK", "LAB", "L"):
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
            srgb = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(picture, profile, srgb, _INTENT, "RGB")
            if converted is not None:
                return converted
        except Exception:  # a damaged profile does not make the picture unusable
            return picture.convert("RGB")
    return picture.convert("RGB")


def _apply(transform: Any, rgb: NDArray[np.uint8]) -> ImageU8:
    converted = ImageCms.applyTransform(Image.fromarray(np.ascontiguousarray(rgb)), transform)
    return np.asarray(converted, np.uint8)
