"""Photos and drawings without pairs, and their batches."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.eyes import IRIS_CENTRES
from engines.training.data.aligned import load_region
from engines.training.data.picture_pairs import ImageU8, cropped_to, read_rgb

_MAX_ZOOM = 1.1


@dataclass(frozen=True, eq=False)
class UnpairedDataset:
    """Photos and drawings of one size.

    Attributes:
        photo_names: Names of the photos.
        drawing_names: Names of the drawings.
        photos_rgb: (N, S, S, 3) RGB uint8.
        drawings_rgb: (M, S, S, 3) RGB uint8.
        eyes_xy: (N, 2, 2) pixels: both irises of each photo, the left one in the picture first.
        terms: The terms of use of all pictures.
    """

    photo_names: tuple[str, ...]
    drawing_names: tuple[str, ...]
    photos_rgb: NDArray[np.uint8]
    drawings_rgb: NDArray[np.uint8]
    eyes_xy: NDArray[np.float32]
    terms: str

    def __len__(self) -> int:
        """Return the number of photos."""
        return len(self.photo_names)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height of all pictures, pixels."""
        height, width = self.photos_rgb.shape[1:3]
        return width, height

    def digest(self) -> str:
        """Return the SHA-256 of all pixels and eyes."""
        digest = hashlib.sha256()
        for array in (self.photos_rgb, self.drawings_rgb, self.eyes_xy):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def subset(self, photos: Sequence[int], drawings: Sequence[int] | None = None) -> UnpairedDataset:
        """Return some of the photos, with all drawings or some of them."""
        chosen, drawn = list(photos), range(len(self.drawing_names)) if drawings is None else drawings
        return UnpairedDataset(
            tuple(self.photo_names[i] for i in chosen), tuple(self.drawing_names[i] for i in drawn),
            self.photos_rgb[chosen], self.drawings_rgb[list(drawn)], self.eyes_xy[chosen], self.terms,
        )  # fmt: skip


def open_unpaired(regions: Path, drawings: Path, side_px: int, terms: str) -> UnpairedDataset:
    """Read aligned photos (see `engines.training.data.aligned`) and drawings, both `side_px` square.

    Raises OptionsError if a file is not readable.
    """
    photo_files = sorted(path for path in regions.glob("*.png") if path.with_suffix(".npz").is_file())
    drawing_files = sorted(drawings.glob("*.png"))
    photos, eyes = [], []
    for path in photo_files:
        region = load_region(regions, path.stem)
        photos.append(cropped_to(region.rgb, (side_px, side_px)))
        eyes.append(region.landmarks_xy[IRIS_CENTRES] * (side_px / region.rgb.shape[0]))
    drawn = [cropped_to(read_rgb(path), (side_px, side_px)) for path in drawing_files]
    return UnpairedDataset(
        tuple(path.stem.rpartition(".")[0] for path in photo_files), tuple(path.stem for path in drawing_files),
        np.stack(photos), np.stack(drawn), np.stack(eyes).astype(np.float32), terms,
    )  # fmt: skip


def random_unpaired(side_px: int) -> UnpairedDataset:
    """Return four pictures of random pixels on each side that stand for the pictures of a training."""
    rng = np.random.default_rng(0)
    photos, drawings = rng.integers(0, 256, (2, 4, side_px, side_px, 3), np.uint8)
    names = tuple("0123")
    eyes = np.tile(np.array(((0.35, 0.45), (0.65, 0.45)), np.float32) * side_px, (4, 1, 1))
    return UnpairedDataset(names, names, photos, drawings, eyes, "")


@dataclass(frozen=True, slots=True, eq=False)
class UnpairedBatch:
    """One batch: photos and drawings, (N, S, S, 3) RGB uint8, and the photos' eyes, (N, 2, 2) pixels."""

    photos_rgb: ImageU8
    drawings_rgb: ImageU8
    eyes_xy: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class UnpairedBatches:
    """Batches by step: random photos and drawings, mirrored and enlarged at random (CycleGAN's jitter)."""

    data: UnpairedDataset
    batch: int
    seed: int
    rank: int

    def __getitem__(self, step: int) -> UnpairedBatch:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, self.rank, step))
        photos, drawings, eyes = [], [], []
        for _ in range(self.batch):
            which = int(rng.integers(len(self.data)))
            photo, eyes_xy = _jittered(rng, self.data.photos_rgb[which], self.data.eyes_xy[which])
            drawn = self.data.drawings_rgb[int(rng.integers(len(self.data.drawing_names)))]
            photos.append(photo)
            eyes.append(eyes_xy)
            drawings.append(_jittered(rng, drawn, eyes_xy)[0])
        return UnpairedBatch(np.stack(photos), np.stack(drawings), np.stack(eyes).astype(np.float32))


def _jittered(
    rng: np.random.Generator, picture: ImageU8, eyes_xy: NDArray[np.float32]
) -> tuple[ImageU8, NDArray[np.float32]]:
    """Return a crop of the picture enlarged by up to 10 %, mirrored half of the time, and the eyes on it."""
    side = picture.shape[0]
    zoom = float(rng.uniform(1, _MAX_ZOOM))
    left, top = rng.uniform(0, (zoom - 1) * side, 2)
    matrix = np.array([[zoom, 0, -left], [0, zoom, -top]])
    moved = cv2.warpAffine(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    eyes = eyes_xy * zoom - np.array((left, top), np.float32)
    if rng.random() < 0.5:
        moved = moved[:, ::-1]
        eyes = (eyes * (-1, 1) + (side - 1, 0))[::-1]  # the left eye in the picture stays the first
    return np.ascontiguousarray(moved, np.uint8), np.asarray(eyes, np.float32)
