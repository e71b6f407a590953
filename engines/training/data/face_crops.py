"""Aligned crops of faces, one for each person, and their augmented batches."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np

from engines.identity.crops import USUAL_SIDE_PX as SIDE_PX
from engines.training.data.displacement import Field, displaced, pixel_grid, smooth_field
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.webcam import light_curve, relit, spoil

MARGIN_PX = 16  # of the kept crops on each side, for augmentation
_KEPT_PX = SIDE_PX + 2 * MARGIN_PX


@dataclass(frozen=True, slots=True, eq=False)
class FaceCrops:
    """Crops (N, 144, 144, 3) RGB uint8: the network's crop with a margin. Every crop shows another person."""

    rgb: ImageU8
    terms: str

    def __len__(self) -> int:
        """Return the number of persons."""
        return len(self.rgb)

    def digest(self) -> str:
        """Return the SHA-256 of all pixels."""
        return hashlib.sha256(self.rgb.tobytes()).hexdigest()

    def split(self, held_out: int) -> tuple[FaceCrops, FaceCrops]:
        """Return the crops to train on, and every n-th one: `held_out` persons to validate on."""
        chosen = np.linspace(0, len(self) - 1, held_out).astype(int)
        kept = np.setdiff1d(np.arange(len(self)), chosen)
        return FaceCrops(self.rgb[kept], self.terms), FaceCrops(self.rgb[chosen], self.terms)


@dataclass(frozen=True, slots=True, eq=False)
class FaceBatch:
    """Pictures of P persons in V views.

    Attributes:
        teacher_rgb: (P, 112, 112, 3) uint8: each person as a good camera sees it.
        views_rgb: (V * P, 112, 112, 3) uint8: all persons in the first view, then in the next.
    """

    teacher_rgb: ImageU8
    views_rgb: ImageU8


class FaceBatches:
    """Augmented batches by step.

    A part of the persons is made: the mean of two faces, or a face in another shape. The views differ in pose, light,
    alignment and the faults of webcams.
    """

    def __init__(self, crops: FaceCrops, *, persons: int, views: int, seed: int, made_share: float = 0.6) -> None:
        self._crops, self._persons, self._views, self._seed, self._made = crops, persons, views, seed, made_share

    def __getitem__(self, step: int) -> FaceBatch:
        """Return the batch of a step."""
        rng = np.random.default_rng((self._seed, step))
        persons = [self._person(rng) for _ in range(self._persons)]
        views = [_view(one, rng) for _ in range(self._views) for one in persons]
        inner = slice(MARGIN_PX, MARGIN_PX + SIDE_PX)
        return FaceBatch(np.stack([one[inner, inner] for one in persons]), np.stack(views))

    def _person(self, rng: np.random.Generator) -> ImageU8:
        picture = self._crops.rgb[rng.integers(len(self._crops))]
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        if rng.random() < self._made:
            other = self._crops.rgb[rng.integers(len(self._crops))]
            if rng.random() < 0.5:
                share = rng.uniform(0.3, 0.7)
                picture = cv2.addWeighted(picture, share, other, 1 - share, 0)
            picture = displaced(picture, *smooth_field(rng, 3.5, _KEPT_PX))
        return np.ascontiguousarray(picture)


def _view(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Return a crop as a webcam may see it: (112, 112, 3) RGB uint8 of (144, 144, 3)."""
    turn_x, turn_y = rng.normal(0, (5.0, 3.5))
    wide, high = smooth_field(rng, 1.3, _KEPT_PX)
    bulge = _bulge()
    picture = displaced(picture, wide + turn_x * bulge, high + turn_y * bulge)
    middle = (_KEPT_PX - 1) / 2
    stretch = math.exp(rng.normal(0, 0.05)) - abs(turn_x) * 0.008  # a turned face is narrower
    matrix = cv2.getRotationMatrix2D((middle, middle), rng.normal(0, 4.0), math.exp(rng.normal(0, 0.06)))
    matrix[:, 0] = matrix[:, 0] * stretch
    matrix[0, 2] += middle * (1 - stretch) - MARGIN_PX + rng.normal(0, 2.0)
    matrix[1, 2] += -MARGIN_PX + rng.normal(0, 2.0)
    size = (SIDE_PX, SIDE_PX)
    crop = np.asarray(cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    crop = relit(crop, light_curve(rng, 1.2))
    if rng.random() < 0.4:
        crop = _side_light(crop, rng)
    if rng.random() < 0.25:  # far from the camera
        side = int(rng.integers(32, 80))
        small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
        crop = np.asarray(cv2.resize(spoil(np.asarray(small, np.uint8), rng, 0.7), size), np.uint8)
    if rng.random() < 0.1:
        crop = np.repeat(np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))[:, :, None], 3, 2)
    return spoil(crop, rng)


@functools.cache
def _bulge() -> Field:
    """Return how near each pixel of a face is to the camera, 0..1: what is near moves most when the head turns."""
    down, across = (2 * one / (_KEPT_PX - 1) - 1 for one in pixel_grid(_KEPT_PX))
    return np.exp(-((across / 0.45) ** 2) - (((down - 0.15) / 0.6) ** 2))


def _side_light(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Return a picture that is darker towards one side."""
    angle, depth = rng.uniform(0, 2 * math.pi), rng.uniform(0.1, 0.7)
    down, across = (one / SIDE_PX - 0.5 for one in pixel_grid(SIDE_PX))
    ramp = 1 - depth / (1 + np.exp(-rng.uniform(4, 14) * (math.cos(angle) * across + math.sin(angle) * down)))
    return np.asarray(np.clip(picture * ramp[:, :, None], 0, 255), np.uint8)
