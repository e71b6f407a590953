"""Pairs of pictures, streamed from one uncompressed file on disk; and their split into training and held-out pairs."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.errors import OptionsError, os_errors
from engines.files import atomic_path
from engines.training.data.picture_pairs import ImageU8, Skipped, cropped_to, find_pairs, read_pair

VARIANT = "~"  # NAME~1.png is NAME.png relit: the same person, so both belong to the same side of the split
_KINDS = ("face", "head", "frame")  # NAME.head.png and NAME.frame.png are regions of one photo: the same applies


@dataclass(frozen=True, slots=True)
class PictureFile:
    """Pictures of one shape (H, W, C), read one at a time at byte offsets of a file, through the page cache."""

    path: Path
    offsets: tuple[int, ...]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.offsets)

    def __getitem__(self, index: int) -> ImageU8:
        """Read one picture, (H, W, C) uint8. Raises OptionsError if the file is gone or was shortened."""
        try:
            pixels = np.fromfile(self.path, np.uint8, math.prod(self.shape), offset=self.offsets[index])
            return pixels.reshape(self.shape)
        except (OSError, ValueError) as error:
            raise OptionsError(f"pairs in {self.path}", str(error), "start again with --resume") from error


Pictures = PictureFile | NDArray[np.uint8]  # pictures of one size, (H, W, 3) RGB uint8 each


@dataclass(frozen=True, eq=False)
class PairedDataset:
    """Pictures before and after, in the order of their names, and the terms of use that TERMS.txt states."""

    names: tuple[str, ...]
    before_rgb: Pictures
    after_rgb: Pictures
    terms: str

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.names)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of all pictures, pixels."""
        height, width = self.before_rgb[0].shape[:2]
        return width, height

    def digest(self) -> str:
        """Return the SHA-256 of all pixels: those of the inputs, then those of the targets."""
        return self._digest

    @functools.cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for pictures in (self.before_rgb, self.after_rgb):
            for i in range(len(self)):
                digest.update(pictures[i].tobytes())
        return digest.hexdigest()

    def subset(self, indices: Sequence[int]) -> PairedDataset:
        """Return some of the pairs. Pictures in a file are not copied."""
        before, after = _chosen(self.before_rgb, indices), _chosen(self.after_rgb, indices)
        return PairedDataset(tuple(self.names[i] for i in indices), before, after, self.terms)


def _chosen(pictures: Pictures, indices: Sequence[int]) -> Pictures:
    if isinstance(pictures, PictureFile):
        return replace(pictures, offsets=tuple(pictures.offsets[i] for i in indices))
    return pictures[list(indices)]


def open_pairs(
    before: Path,
    after: Path,
    cache: Path,
    *,
    size_wh: tuple[int, int],
    stacked: int = 1,
    on_pair: Callable[[int], None] = lambda _: None,
) -> tuple[PairedDataset, Skipped]:
    """Decode all pairs of two folders into one file and open it.

    A training step then reads pixels instead of compressed files. The file has 6 bytes for each pixel of a pair: 3.9 GB
    for 10,000 pairs of 256x256. Raises OptionsError if a folder is missing or empty, no complete pair is left, or
    `cache` cannot be written.

    Args:
        cache: The file to write. The caller deletes it when the training has ended.
        size_wh: Size to which all pictures are cropped and resized.
        stacked: Number of pictures that a target consists of, one below the other in its file; they become channels.
    """
    names, skipped = list[str](), Skipped()
    pairs = find_pairs(before, after, skipped)
    full = os_errors(f"pairs in {cache}", "make room, or name another folder with --work")
    with full, atomic_path(cache) as part, part.open("wb") as file:
        for name, one, other in pairs:
            if pictures := read_pair(one, other, skipped, stacked=stacked):
                file.write(cropped_to(pictures[0], size_wh).tobytes())
                parts = [cropped_to(part, size_wh) for part in np.split(pictures[1], stacked)]
                file.write(np.concatenate(parts, axis=2).tobytes())
                names.append(name)
            on_pair(len(pairs))
    if not names:
        do = "give both pictures of a pair the same name and size"
        raise OptionsError(f"pairs in {before} and {after}", skipped.line().removeprefix("skipped: "), do)
    shape = (size_wh[1], size_wh[0], 3)
    size, step = math.prod(shape), (1 + stacked) * math.prod(shape)  # the target follows its input
    sides = (
        PictureFile(cache, tuple(range(start, step * len(names), step)), (*shape[:2], channels))
        for start, channels in ((0, 3), (size, 3 * stacked))
    )
    return PairedDataset(tuple(names), next(sides), next(sides), terms_of(before, after)), skipped


def terms_of(*folders: Path) -> str:
    """Return the terms of use: the text of TERMS.txt in each folder or above it, or "not stated"."""
    texts: dict[str, None] = {}
    for folder in folders:
        for place in (folder, *folder.resolve().parents[:2]):
            with contextlib.suppress(OSError):
                texts[" ".join((place / "TERMS.txt").read_text(encoding="utf-8", errors="replace").split())] = None
                break
    return " | ".join(texts) or "not stated"


def _photo_of(name: str) -> str:
    """Return the photo that a pair was made from: its name without the variant and the kind of region."""
    plain = name.split(VARIANT)[0]
    photo, _, kind = plain.rpartition(".")
    return photo if photo and kind in _KINDS else plain


def split(names: tuple[str, ...], share: float, max_held_out: int, seed: int) -> tuple[list[int], list[int]]:
    """Return the indices of the pairs to train on and to hold out. All pairs of one photo are on the same side.

    At most `max_held_out` photos are held out. Raises OptionsError if there are fewer than two photos.
    """
    photo_of = [_photo_of(name) for name in names]
    photos = sorted(set(photo_of))
    if len(photos) < 2:
        raise OptionsError("training", f"only {len(photos)} picture", "give two or more: one is held out for the score")
    order = np.random.default_rng(seed).permutation(len(photos))
    count = int(np.clip(round(share * len(photos)), 1, min(max_held_out, len(photos) - 1)))
    held_photos = {photos[i] for i in order[:count]}
    learned = [i for i, photo in enumerate(photo_of) if photo not in held_photos]
    held = [i for i, photo in enumerate(photo_of) if photo in held_photos]
    plain = [i for i in held if VARIANT not in names[i]]
    return learned, plain or held
