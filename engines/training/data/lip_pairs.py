"""Pixel-aligned pairs of lip crops, and their augmented batches."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engines.errors import OptionsError, os_errors
from engines.training.data.paired_dataset import terms_of
from engines.training.data.picture_pairs import ImageU8, complete_pairs, read_rgb, size_text

CROP_SIZE_WH = (90, 30)
BEFORE = "bare"
_PAINTED_LEVELS = 60  # sum over the colours of a change that is paint
_TWIN_CORRELATION = 0.955


@dataclass(frozen=True, slots=True, eq=False)
class LipPairs:
    """Lip crops before and after, (N, 30, 90, 3) RGB uint8, by the name of the painted folder, with terms of use."""

    style: str
    before_rgb: ImageU8
    after_rgb: ImageU8
    terms: str

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.before_rgb)

    def digest(self) -> str:
        """Return the SHA-256 of all pixels, in the order of the file names."""
        return hashlib.sha256(self.before_rgb.tobytes() + self.after_rgb.tobytes()).hexdigest()

    def subset(self, indices: Sequence[int]) -> LipPairs:
        """Return some of the pairs."""
        chosen = list(indices)
        return LipPairs(self.style, self.before_rgb[chosen], self.after_rgb[chosen], self.terms)

    def lips_mean_bgr(self) -> list[float]:
        """Return the mean colour (0..255) of the bare lips: the pixels that the paint changes clearly."""
        change = np.abs(self.after_rgb.astype(np.int16) - self.before_rgb).sum(3)  # N, 30, 90
        painted = change > _PAINTED_LEVELS
        if not painted.any():
            painted[:] = True
        return [round(float(level), 1) for level in self.before_rgb[painted].mean(0)[::-1]]


def load_lip_pairs(data: Path, style: str) -> list[LipPairs]:
    """Return the pairs DATA/bare -> DATA/STYLE; for "all", those of every folder beside `bare`.

    Raises OptionsError if a folder, a partner or a picture is missing, unreadable or of another size.
    """
    with os_errors(
        f"lip pairs in {data}", f"name the folder that holds {BEFORE}/ and one folder for each painted style"
    ):
        found = sorted(path.name for path in data.iterdir() if path.is_dir() and path.name[0] != ".")
    painted = [name for name in found if name != BEFORE]
    styles = painted if style == "all" else [style]
    if BEFORE not in found or not styles or not set(styles) <= set(painted):
        requested = f"folders {BEFORE}/ and {'one for each style' if style == 'all' else style + '/'} in {data}"
        got = f"it holds {', '.join(found) or 'no folders'}"
        raise OptionsError(requested, got, "pairs have the same file name in both")
    return [LipPairs(name, *_read(data / BEFORE, data / name), terms_of(data)) for name in styles]


def _read(before: Path, after: Path) -> tuple[ImageU8, ImageU8]:
    width, height = CROP_SIZE_WH
    stacks: tuple[list[ImageU8], list[ImageU8]] = ([], [])
    for pair in complete_pairs(before, after):
        for stack, path in zip(stacks, pair, strict=True):
            stack.append(read_rgb(path))
            if stack[-1].shape != (height, width, 3):
                got, do = f"it is {size_text(stack[-1].shape)}", f"provide crops of {width}x{height}"
                raise OptionsError(f"picture {path} at {width}x{height}", got, do)
    return np.stack(stacks[0]), np.stack(stacks[1])


def as_tensor(pictures_rgb: ImageU8) -> Tensor:
    """Convert (N, H, W, 3) RGB uint8, 0..255, to (N, 3, H, W) float32, 0..1."""
    return torch.from_numpy(np.ascontiguousarray(pictures_rgb.transpose(0, 3, 1, 2))).float() / 255


class LipBatches:
    """Augmented batches by step: (crop, painted), both (N, 3, 30, 90) float32, 0..1 before relighting.

    Every epoch shows all pairs once, in a new order. The random numbers are one stream over all steps; to start at a
    later step, the numbers of the steps before it are drawn and dropped. The arguments are fields of `LipsConfig`.
    """

    def __init__(
        self, pairs: LipPairs, *, batch: int, lit_share: float, gain: tuple[float, float], tint: float, seed: int
    ) -> None:
        self._before, self._after = as_tensor(pairs.before_rgb), as_tensor(pairs.after_rgb)
        self._batch, self._lit_share, self._gain, self._tint, self._seed = batch, lit_share, gain, tint, seed
        self._draws: Iterator[tuple[Tensor, Tensor, Tensor]] = iter(())
        self._next_step: float = math.inf

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step."""
        if step < self._next_step:
            self._draws, self._next_step = self._drawn(), 0
        chosen, mirrored, light = next(itertools.islice(self._draws, int(step - self._next_step), None))
        self._next_step = step + 1
        crop, painted = (
            torch.where(mirrored, pictures[chosen].flip(3), pictures[chosen]) * light
            for pictures in (self._before, self._after)
        )
        return crop.contiguous(memory_format=torch.channels_last), painted

    def _drawn(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield which pairs are shown, which are mirrored, (N, 1, 1, 1), and the light on them, (N, 3, 1, 1)."""
        generator, (low, high) = torch.Generator().manual_seed(self._seed), self._gain
        while True:
            order = torch.randperm(len(self._before), generator=generator)
            for chosen in torch.split(order, self._batch):
                shape = (len(chosen), 1, 1, 1)
                mirrored = torch.rand(shape, generator=generator) < 0.5
                lit = torch.rand(shape, generator=generator) < self._lit_share
                gain = low + (high - low) * torch.rand(shape, generator=generator)
                tint = 1 + self._tint * (2 * torch.rand((len(chosen), 3, 1, 1), generator=generator) - 1)
                yield chosen, mirrored, torch.where(lit, gain * tint, 1.0)


def split_folds(before_rgb: ImageU8, folds: int, *, seed: int) -> list[list[int]]:
    """Return the indices of the pictures (N, H, W, 3), shuffled into `folds` parts of nearly equal size.

    Near-duplicates (a mouth that was cropped twice) stay in one part: a fold that was trained on the twin of a picture
    would score too well on it.
    """
    groups = _twin_groups(before_rgb)
    order = np.random.default_rng(seed).permutation(len(groups))
    parts: list[list[int]] = [[] for _ in range(folds)]
    for group in sorted((groups[i] for i in order), key=len, reverse=True):
        min(parts, key=len).extend(group)
    return parts


def _twin_groups(pictures_rgb: ImageU8) -> list[list[int]]:
    flat = pictures_rgb.reshape(len(pictures_rgb), -1).astype(np.float64)
    flat -= flat.mean(1, keepdims=True)
    flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
    alike = flat @ flat.T > _TWIN_CORRELATION
    groups: list[list[int]] = []
    for i in range(len(flat)):
        for group in groups:
            if alike[i, group].any():
                group.append(i)
                break
        else:
            groups.append([i])
    return groups
