"""Reduction of a picture to the 256 colours of a GIF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from live.picture_files.picture import Picture
from live.pipeline.frame import ImageU8

_OPAQUE_FROM = 128  # GIF has one transparent colour: alpha below is transparent
_CLEAR = 255  # its place in the palette
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
    pixels = Image.fromarray(np.ascontiguousarray(rgb))
    if is_painted is None or not is_painted.any() or is_painted.all():
        return pixels.quantize(size, kmeans=1, dither=Image.Dither.NONE)
    kept, counts = np.unique(rgb[~is_painted], axis=0, return_counts=True)
    painted = np.unique(rgb[is_painted], axis=0)
    if len(kept) > size:
        return pixels.quantize(size, kmeans=1, dither=Image.Dither.NONE)
    painted_size = min(len(painted), max(size - len(kept), _PAINTED_COLOURS))
    kept = kept[np.argsort(-counts, kind="stable")[: size - painted_size]]
    new = Image.fromarray(rgb[is_painted][None]).quantize(painted_size, kmeans=1).getpalette() or []
    palette = np.concatenate([kept, np.array(new, np.uint8).reshape(-1, 3)[:painted_size]])
    colours, places = np.unique(rgb.reshape(-1, 3), axis=0, return_inverse=True)
    return _with_palette(_nearest(colours, palette)[places].reshape(rgb.shape[:2]), palette)


def _nearest(colours: ImageU8, palette: ImageU8) -> ImageU8:
    """Return for each of (N, 3) colours the index of the nearest in the palette."""
    each, all_of = colours.astype(np.float32), palette.astype(np.float32)
    nearest = [
        ((part**2).sum(1)[:, None] - 2 * part @ all_of.T + (all_of**2).sum(1)).argmin(1)
        for part in np.array_split(each, 1 + len(each) // 10_000)
    ]
    return np.concatenate(nearest).astype(np.uint8)


def _with_palette(indices: ImageU8, palette: ImageU8) -> Image.Image:
    shown = Image.fromarray(indices).convert("P")
    shown.putpalette([*palette.ravel().tolist(), *[0] * (768 - palette.size)])
    return shown
