"""The frames of an animation on the disk, read one at a time by Pillow's encoders."""

from __future__ import annotations

import errno
import os
import tempfile
from typing import Any, NamedTuple

from PIL import Image


class _Place(NamedTuple):
    """Where a frame lies in the file, and what is not in its bytes."""

    offset: int
    length: int
    mode: str
    palette: list[int] | None
    info: dict[Any, Any]


class SpooledFrames(Image.Image):
    """A sequence of frames of one size in a temporary file, in the form that Pillow saves as an animation.

    Args:
        size_wh: of all frames.

    Attributes:
        n_frames: number of frames.
        has_alpha: whether a frame has transparency.
    """

    is_animated = True

    def __init__(self, size_wh: tuple[int, int]) -> None:
        super().__init__()
        self._size = size_wh
        self._file = tempfile.TemporaryFile(buffering=0, prefix="veneer-")  # noqa: SIM115 - closed by close()
        self._frames: list[_Place] = []
        self._position = 0
        self.has_alpha = False

    @property
    def n_frames(self) -> int:  # noqa: D102 - see the class
        return len(self._frames)

    def append(self, frame: Image.Image) -> None:
        """Add a frame, L, RGB, RGBA or P.

        Raises:
            OSError: The disk is full.
        """
        data = frame.tobytes()
        place = _Place(self._file.seek(0, os.SEEK_END), len(data), frame.mode, frame.getpalette(), frame.info)
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._frames.append(place)
        self.has_alpha = self.has_alpha or frame.has_transparency_data

    def seek(self, frame: int) -> None:
        """Read a frame.

        Raises:
            EOFError: There is no such frame.
        """
        if not 0 <= frame < self.n_frames:
            raise EOFError("no more frames")
        self._position = frame
        offset, length, mode, palette, info = self._frames[frame]
        self._file.seek(offset)
        shown = Image.frombytes(mode, self._size, self._file.read(length))
        if palette is not None:
            shown.putpalette(palette)
        else:
            shown = shown.convert("RGBA" if self.has_alpha else "RGB")  # encoders want one mode for all
        self.im, self._mode, self.palette, self.info = shown.im, shown.mode, shown.palette, info

    def tell(self) -> int:
        """Return the number of the current frame."""
        return self._position

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()
