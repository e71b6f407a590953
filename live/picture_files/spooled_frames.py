"""The frames of an animation on the disk, read one at a time by Pillow's encoders."""

from __future__ import annotations

import tempfile

import numpy as np
from PIL import Image

_OPAQUE_FROM = 128  # GIF has one transparent colour: alpha below is transparent
_CLEAR = 255  # its place in the palette


class SpooledFrames(Image.Image):
    """A sequence of frames of one size in a temporary file, in the form that Pillow saves as an animation.

    Args:
        size_wh: of all frames.
        in_palette: Reduce each frame to 256 colours (GIF).
    """

    is_animated = True

    def __init__(self, size_wh: tuple[int, int], *, in_palette: bool) -> None:
        super().__init__()
        self._size, self._in_palette = size_wh, in_palette
        self._frame_bytes = size_wh[0] * size_wh[1] * 4
        self._file = tempfile.TemporaryFile(prefix="veneer-")  # noqa: SIM115 - closed by close()
        self._position = 0
        self.n_frames, self.has_alpha = 0, False

    def append(self, frame: Image.Image) -> None:
        """Add a frame, L, RGB or RGBA.

        Raises:
            OSError: The disk is full.
        """
        self.has_alpha = self.has_alpha or frame.mode == "RGBA"
        self._file.write(frame.convert("RGBA").tobytes())
        self.n_frames += 1

    def seek(self, frame: int) -> None:
        """Read a frame.

        Raises:
            EOFError: There is no such frame.
        """
        if not 0 <= frame < self.n_frames:
            raise EOFError("no more frames")
        self._position = frame
        self._file.seek(frame * self._frame_bytes)
        shown = Image.frombytes("RGBA", self._size, self._file.read(self._frame_bytes))
        shown = shown if self.has_alpha else shown.convert("RGB")
        shown = as_palette(shown) if self._in_palette else shown
        self.im, self._mode, self.palette, self.info = shown.im, shown.mode, shown.palette, shown.info

    def tell(self) -> int:
        """Return the number of the current frame."""
        return self._position

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


def as_palette(picture: Image.Image) -> Image.Image:
    """Reduce a picture (L, RGB or RGBA) to 256 colours, one of them transparent if it has alpha."""
    if picture.mode != "RGBA":
        return picture if picture.mode == "L" else _reduced(picture, 256)
    rgba = np.array(picture)
    is_clear = rgba[:, :, 3] < _OPAQUE_FROM
    rgba[is_clear] = rgba[~is_clear][0] if not is_clear.all() else 0  # so that they take no place in the palette
    reduced = _reduced(Image.fromarray(np.ascontiguousarray(rgba[:, :, :3])), _CLEAR)
    indices = np.array(reduced)
    indices[is_clear] = _CLEAR
    colours = (reduced.getpalette() or [])[: 3 * _CLEAR]
    shown = Image.fromarray(indices).convert("P")
    shown.putpalette(colours + [0] * (768 - len(colours)))
    shown.info["transparency"] = _CLEAR
    return shown


def _reduced(picture: Image.Image, colours: int) -> Image.Image:
    """Reduce an RGB picture; exact if it has no more colours.

    Otherwise a colour counts with the square root of its pixels, so that a small painted region gets colours too.
    """
    unique_rgb, counts = np.unique(np.asarray(picture).reshape(-1, 3), axis=0, return_counts=True)
    if len(counts) <= colours:
        return picture.quantize(colours, dither=Image.Dither.NONE)
    weighted = np.repeat(unique_rgb, np.ceil(np.sqrt(counts)).astype(int), axis=0)
    palette = Image.fromarray(weighted[None]).quantize(colours, kmeans=1)
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)
