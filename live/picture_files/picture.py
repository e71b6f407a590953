"""A decoded picture with everything that its file holds, beside the frame that is rendered."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.picture_files.colour_profile import ColourProfile
from live.pipeline.frame import ImageU8

Pixels = NDArray[Any]  # uint8 or uint16
_BAND_PIXELS = 500_000


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture, upright.

    Attributes:
        rgb: (H, W, 3) uint8 or uint16, RGB in the colours of `profile`, not multiplied by alpha.
        alpha: (H, W) of the same type, the highest value is opaque; None if all pixels are.
        profile: of the colours; None for sRGB.
        exif: the EXIF block to write, upright and without thumbnails.
        is_grey: all pixels are grey and the file stored one channel.
        is_lossless: it is written with the format's `lossless_options`; so are WebP with loss and CMYK JPEG, which lose
            much when coded again.
        duration_ms: how long a frame of an animation is shown.
        jpeg_tables: the quantization tables of a JPEG, unless it is CMYK.
        note: what the file must say, beside its EXIF: that a face was swapped.
        is_painted: (H, W), where the file's pixels were replaced; None if the picture is as it was read.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    profile: ColourProfile | None = None
    exif: bytes = b""
    is_grey: bool = False
    is_lossless: bool = True
    duration_ms: float = 0.0
    jpeg_tables: tuple[tuple[int, ...], ...] = ()
    note: str = ""
    is_painted: NDArray[np.bool_] | None = None

    @functools.cached_property
    def frame_bgr(self) -> ImageU8:
        """(H, W, 3) uint8 BGR in sRGB, over white where the picture is transparent: what is rendered."""
        return np.asarray(cv2.cvtColor(over_white(self.srgb(), as_bytes(self.alpha)), cv2.COLOR_RGB2BGR), np.uint8)

    def srgb(self) -> ImageU8:
        """Return the colours in sRGB, (H, W, 3) uint8 RGB, not multiplied by alpha."""
        rgb = as_bytes(self.rgb)
        return self.profile.to_srgb(rgb) if self.profile else rgb

    def painted(self, painted_bgr: ImageU8, *, covered: bool) -> Picture:
        """Return the picture with what was painted, in its own colours and depth.

        Pixels that were not painted are exactly those of the file.

        Args:
            painted_bgr: `frame_bgr` after painting.
            covered: The painting must hide what was there: no trace of the pixel below is kept. Otherwise the change
                is added to the pixel, which keeps 16 bits and colours outside sRGB at the soft edge of a mask.
        """
        rgb, is_grey = self.rgb.copy(), self.is_grey
        is_painted = np.zeros(rgb.shape[:2], bool)
        for rows in _bands(rgb):
            changed = (painted_bgr[rows] != self.frame_bgr[rows]).any(axis=2)
            alpha = None if self.alpha is None else as_bytes(self.alpha[rows])
            if alpha is not None and covered:
                rgb[rows][alpha == 0] = np.iinfo(rgb.dtype).max  # what transparency hides is not drawn
            if alpha is not None:
                changed &= alpha > 0
                alpha = alpha[changed]
            after = self._own_colours(painted_bgr[rows][changed], alpha)
            if not covered:
                before = self._own_colours(self.frame_bgr[rows][changed], alpha)
                after = np.clip(rgb[rows][changed] + (after - before), 0, np.iinfo(rgb.dtype).max)
            rgb[rows][changed] = after
            is_painted[rows] = changed
            is_grey = is_grey and not np.ptp(after, axis=1).any()
        return replace(self, rgb=rgb, is_grey=is_grey, is_painted=is_painted)

    def _own_colours(self, bgr: ImageU8, alpha: ImageU8 | None) -> NDArray[np.int32]:
        """Convert (N, 3) pixels of the frame to int32 RGB of the file."""
        rgb = np.ascontiguousarray(bgr[:, ::-1])
        if alpha is not None:
            share = alpha[:, None].astype(np.float32) / 255
            rgb = np.clip((rgb - 255 * (1 - share)) / share + 0.5, 0, 255).astype(np.uint8)
        if self.profile is not None and len(rgb):
            rgb = self.profile.from_srgb(rgb[None])[0]
        return rgb.astype(np.int32) * (257 if self.rgb.dtype == np.uint16 else 1)


def over_white(rgb: ImageU8, alpha: ImageU8 | None) -> ImageU8:
    """Blend (H, W, 3) uint8 over white."""
    if alpha is None:
        return rgb
    blended = np.empty_like(rgb)
    for rows in _bands(rgb):
        share = alpha[rows][:, :, None].astype(np.uint16)
        blended[rows] = (rgb[rows] * share + 255 * (255 - share) + 127) // 255
    return blended


def _bands(pixels: Pixels) -> Iterator[slice]:
    """Divide the rows: temporary arrays of a whole picture would take gigabytes."""
    height, width = pixels.shape[:2]
    step = max(1, _BAND_PIXELS // max(1, width))
    return (slice(top, top + step) for top in range(0, height, step))


def as_bytes(pixels: Any) -> Any:
    """Reduce 16-bit values to 8 bits; return 8-bit arrays and None as they are."""
    return (pixels >> 8).astype(np.uint8) if pixels is not None and pixels.dtype == np.uint16 else pixels
