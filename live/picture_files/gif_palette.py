"""Reduction of a picture to the 256 colours of a GIF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from live.picture_files.picture import Picture
from live.pipeline.frame import ImageU8

_OPAQUE_FROM = 128  # GIF has one transparent colour: alpha below is transparent
_CLEAR = 255  # its place in the palette
_SAMPLED_PIXELS = 20_000  # of a photo, to find its palette
_PAINTED_COLOURS = 32  # at least so many for what was painted: lips are a small part of a picture


def as_palette(picture: Picture) -> Image.Image:
    """Return a picture of 8 bits in sRGB with at most 256 colours, one of them transparent if it has alpha.

    A picture that came with 256 colours keeps the most used of them exactly; the painted region gets the others.
    """
    is_clear = None if picture.alpha is None else picture.alpha < _OPAQUE_FROM
    rgb = picture.rgb
    if is_clear is not None and not is_clear.all():
        rgb = rgb.copy()
        rgb[is_clear] = rgb[~is_clear][0]  # so that they take no place in the palette
    size = 256 if is_clear is None else _CLEAR
    shown = _reduced(rgb, picture.is_painted, size)
    if is_clear is not None:
        indices = np.array(shown)
        indices[is_clear] = _CLEAR
        shown = _with_palette(indices, np.array(shown.getpalette(), np.uint8).reshape(-1, 3)[:_CLEAR])
        shown.info["transparency"] = _CLEAR
    return shown


def _reduced(rgb: ImageU8, is_painted: NDArray[np.bool_] | None, size: int) -> Image.Image:
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, places = np.unique(packed, return_inverse=True)
    kept, counts = (colours, None) if is_painted is None else np.unique(packed[~is_painted], return_counts=True)
    if len(kept) > size:  # a photo
        return Image.fromarray(rgb).quantize(
            palette=_common_colours(rgb.reshape(-1, 3), size), dither=Image.Dither.NONE
        )
    palette = _unpacked(kept)
    if counts is not None and is_painted is not None and is_painted.any():
        painted_size = min(len(np.unique(packed[is_painted])), max(size - len(kept), _PAINTED_COLOURS))
        most_used = np.argsort(-counts, kind="stable")[: size - painted_size]
        new = _common_colours(rgb[is_painted], painted_size).getpalette() or []
        palette = np.concatenate([palette[most_used], np.array(new, np.uint8).reshape(-1, 3)[:painted_size]])
    return _with_palette(_nearest(_unpacked(colours), palette)[places].reshape(rgb.shape[:2]), palette)


def _common_colours(pixels: ImageU8, size: int) -> Image.Image:
    """Return a picture whose palette stands for (N, 3) pixels."""
    some = np.ascontiguousarray(pixels[:: 1 + len(pixels) // _SAMPLED_PIXELS])
    return Image.fromarray(some[None]).quantize(size, kmeans=1)


def _unpacked(packed: NDArray[np.uint32]) -> ImageU8:
    return np.asarray(np.stack([packed >> 16, packed >> 8 & 255, packed & 255], -1), np.uint8)


def _nearest(colours: ImageU8, palette: ImageU8) -> ImageU8:
    """Return for each of (N, 3) colours the index of the nearest in the palette."""
    each, all_of = colours.astype(np.float32), palette.astype(np.float32)
    nearest = [
        ((all_of**2).sum(1) - 2 * part @ all_of.T).argmin(1) for part in np.array_split(each, 1 + len(each) // 10_000)
    ]
    return np.asarray(np.concatenate(nearest), np.uint8)


def _with_palette(indices: ImageU8, palette: ImageU8) -> Image.Image:
    shown = Image.fromarray(indices).convert("P")
    shown.putpalette([*palette.ravel().tolist(), *[0] * (768 - palette.size)])
    return shown
