"""Aligned faces of two persons, and their warped batches for a face swap."""

from __future__ import annotations

import functools
import hashlib
import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.aligned_face import guided
from engines.regions.lips_region import Floats
from engines.training.data.displacement import pixel_grid, smooth_field
from engines.training.data.picture_pairs import ImageU8
from engines.training.data.webcam import light_curve, relit, spoil

MARGIN = 0.12  # of the kept crops on each side, in parts of the network's side
_TURN_DEG, _ZOOM, _SHIFT = 8.0, 0.05, 0.03  # standard deviations, the last in parts of the side
_WARP = 0.025  # standard deviation of the warp, in parts of the side
_MOUTH, _MOUTH_RADIUS = (0.5, 0.68), 0.15  # x, y and radius in the crop, in parts of the side
_STRETCH, _BEND = 0.15, 0.2  # standard deviations of the mouth's shape
_LINE_GAIN = 1.4  # lines become paler by the interpolation; live they are drawn where they are
_RIM, _REACH = 0.03, 0.08  # width of the face's border, and blur of the skin beyond it, in parts of the side
_COARSE = 3  # the skin beyond a face is smooth: it is computed at a third of the size
_SKIN_LEVELS, _SURE = 40.0, 0.01  # difference from the mean colour that is not skin; weight of the mean colour beyond
_OPENINGS, _MOST_OFTEN = 8, 10.0  # steps between closed and open; of a face, in relation to equal chances


@dataclass(frozen=True, slots=True, eq=False)
class SwapFaces:
    """Faces of the person who is replaced and of the one who takes the place.

    Attributes:
        one: (N, K, K, 5) uint8: RGB in the usual colours; the weight: 0 outside of the face, 128 in it, 255 at eyes
            and mouth; and the lines of `guide_lines`. K is the side with the margin.
        other: The same of the other person.
        side_px: Side of the network's pictures.
        terms: Of use.
        persons: Names of both, as they were given with their consent.
        openings: Of the faces of each, (N, 2) float32: how far eyes and mouth are open, in any unit.
    """

    one: ImageU8
    other: ImageU8
    side_px: int
    terms: str
    persons: tuple[str, str]
    openings: tuple[Floats, Floats]

    def __len__(self) -> int:
        """Return the number of faces of both."""
        return len(self.one) + len(self.other)

    def digest(self) -> str:
        """Return the SHA-256 of all pixels."""
        digest = hashlib.sha256(self.one.tobytes())
        digest.update(self.other.tobytes())
        return digest.hexdigest()

    def split(self, held_out: int) -> tuple[SwapFaces, SwapFaces]:
        """Return the faces to train on, and evenly spaced ones to look at: at most an eighth of each person's."""
        learned, held = [], []
        for faces in (self.one, self.other):
            count = max(1, min(held_out, len(faces) // 8))
            held.append(np.linspace(0, len(faces) - 1, count + 2).round().astype(int)[1:-1])
            learned.append(np.delete(np.arange(len(faces)), held[-1]))
        return self._of(*learned), self._of(*held)

    def _of(self, one: NDArray[np.intp], other: NDArray[np.intp]) -> SwapFaces:
        chosen = self.openings[0][one], self.openings[1][other]
        return replace(self, one=self.one[one], other=self.other[other], openings=chosen)


@dataclass(frozen=True, slots=True, eq=False)
class SwapBatch:
    """Faces of the first person, then as many of the other.

    Attributes:
        input_rgb: (2 N, S, S, 3) uint8: warped faces, and over them the lines of the faces without the warp.
        after_rgb: The same faces without warp and lines; of the other person with skin outside, see `skin_outside`.
        weight: (2 N, S, S) uint8; see `SwapFaces`.
    """

    input_rgb: ImageU8
    after_rgb: ImageU8
    weight: ImageU8


@dataclass(frozen=True, kw_only=True)
class SwapBatches:
    """Batches by step: turned, mirrored and relit faces, and the same ones warped by a random grid with lines."""

    faces: SwapFaces
    batch: int
    webcam: float
    seed: int
    rank: int

    def __getitem__(self, step: int) -> SwapBatch:
        """Return the batch of a step."""
        rng = np.random.default_rng((self.seed, self.rank, step))
        views = [
            self._view(faces[index], rng)
            for faces, chances in zip((self.faces.one, self.faces.other), self._chances, strict=True)
            for index in rng.choice(len(faces), self.batch, p=chances)
        ]
        inputs, after = (np.stack(one) for one in zip(*views, strict=True))
        for face in after[self.batch :]:
            face[:, :, :3] = skin_outside(np.ascontiguousarray(face[:, :, :3]), np.ascontiguousarray(face[:, :, 3]))
        return SwapBatch(inputs, after[:, :, :, :3], after[:, :, :, 3])

    @functools.cached_property
    def _chances(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        one, other = self.faces.openings
        return expression_chances(one), expression_chances(other)

    def _view(self, face: ImageU8, rng: np.random.Generator) -> tuple[ImageU8, ImageU8]:
        """Return the network's input (S, S, 3) and the unwarped face with its weight and lines (S, S, 5)."""
        side, kept = self.faces.side_px, len(face)
        if rng.random() < 0.5:
            face = face[:, ::-1]
        matrix = _placed(rng, side, kept)
        down, across = pixel_grid(side)
        wide, high = smooth_field(rng, _WARP * side, side)
        shape: NDArray[np.float64] = rng.normal(0, (_STRETCH, _STRETCH, _BEND))
        rgb, others = relit(face[:, :, :3], light_curve(rng, 0.25)), face[:, :, 3:]
        views = []
        for picture, x, y in ((rgb, across + wide, down + high), (rgb, across, down), (others, across, down)):
            kept_x, kept_y = (row[0] * x + row[1] * y + row[2] for row in matrix)
            maps = [np.asarray(one, np.float32) for one in _reshaped(kept_x, kept_y, shape, side)]
            whole = np.ascontiguousarray(picture)
            views.append(cv2.remap(whole, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))  # type: ignore[call-overload]
        warped, after, others = (np.asarray(view, np.uint8) for view in views)
        lines = cv2.convertScaleAbs(others[:, :, 1], alpha=_LINE_GAIN)
        return guided(spoil(warped, rng, self.webcam), np.asarray(lines, np.uint8)), np.dstack((after, others))


def skin_outside(face_rgb: ImageU8, weight: ImageU8) -> ImageU8:
    """Return a face, (S, S, 3) uint8 RGB, whose skin continues beyond its outline, instead of hair and background.

    The swap is shown in the outline of the first person's face, which reaches beyond the other's in places. The change
    begins at `_RIM` inside the outline; eyes and mouth are kept.

    Args:
        face_rgb: (S, S, 3) uint8 RGB.
        weight: (S, S) uint8; see `SwapFaces`.
    """
    side = len(weight)
    small_wh = (max(8, side // _COARSE),) * 2
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_RIM * side) + 1,) * 2)
    inside = cv2.erode(np.clip(weight.astype(np.float32) / 128, 0, 1), kernel)
    features = np.clip(weight.astype(np.float32) / 127 - 1, 0, 1)
    kept = np.maximum(cv2.GaussianBlur(inside, (0, 0), _RIM * side / 2), features)[:, :, None]
    level, colour = (cv2.resize(one, small_wh, interpolation=cv2.INTER_AREA) for one in (inside, face_rgb))
    level = level[:, :, None]
    mean = (level * colour).sum((0, 1)) / max(float(level.sum()), 1.0)
    skin = level * np.exp(-(((colour - mean) / _SKIN_LEVELS) ** 2).sum(2, keepdims=True) / 2)  # not hair, eyes, rims
    near, share = (cv2.GaussianBlur(one, (0, 0), _REACH * small_wh[0]) for one in (skin * colour, skin))
    beyond = (near + _SURE * mean) / (share[:, :, None] + _SURE)
    beyond = cv2.resize(beyond.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.rint(kept * face_rgb + (1 - kept) * beyond), np.uint8)


def expression_chances(openings: Floats) -> NDArray[np.float64]:
    """Return how often each face is trained on, (N,), of sum 1.

    Most frames of a film show a closed mouth and open eyes. A third of the faces is chosen by equal chances, a third by
    the eyes and a third by the mouth: each step of the opening is about equally frequent, but none of the faces is
    chosen more than `_MOST_OFTEN` times as often as by equal chances.

    Args:
        openings: (N, 2); see `SwapFaces`.
    """
    equal = np.full(len(openings), 1 / len(openings))
    chances = [equal]
    for opening in openings.T:
        low, high = np.percentile(opening, (1, 99))
        step = np.clip((opening - low) / max(high - low, 1e-6) * _OPENINGS, 0, _OPENINGS - 1).astype(int)
        rarity = 1 / np.bincount(step)[step]
        chances.append(np.minimum(rarity / rarity.sum(), _MOST_OFTEN * equal))
    total = np.sum(chances, axis=0)
    return np.asarray(total / total.sum())


def random_faces(side_px: int) -> SwapFaces:
    """Return random pixels that stand for the faces of a training."""
    kept = side_px + 2 * round(MARGIN * side_px)
    one, other = np.random.default_rng(0).integers(0, 256, (2, 4, kept, kept, 5), np.uint8)
    return SwapFaces(one, other, side_px, "", ("", ""), (np.ones((4, 2), np.float32),) * 2)


def inner(faces: ImageU8, side_px: int) -> ImageU8:
    """Return kept crops (N, K, K, C) without their margin: (N, S, S, C)."""
    margin = (faces.shape[1] - side_px) // 2
    return faces[:, margin : margin + side_px, margin : margin + side_px]


def _reshaped(
    x: NDArray[np.float64], y: NDArray[np.float64], shape: NDArray[np.float64], side: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move places in the kept crop, (S, S) pixels each, so that the mouth becomes wider, higher or bent.

    Both persons get mouths of shapes that their pictures do not show.

    Args:
        shape: (3,) relative change of width and of height, and bend of the corners.
    """
    radius, margin = _MOUTH_RADIUS * side, round(MARGIN * side)
    across, down = ((one - margin - at * side) / radius for one, at in zip((x, y), _MOUTH, strict=True))
    near = radius * np.exp(-(across**2 + down**2) / 2)
    return x + near * shape[0] * across, y + near * (shape[1] * down + shape[2] * across**2)


def _placed(rng: np.random.Generator, side: int, kept: int) -> NDArray[np.float64]:
    """Return the (2, 3) matrix from pixels of the network's picture to those of the kept crop."""
    turn, zoom = math.radians(rng.normal(0, _TURN_DEG)), math.exp(rng.normal(0, _ZOOM))
    linear = zoom * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = (kept - 1) / 2 + rng.normal(0, _SHIFT * side, 2)
    return np.column_stack((linear, shift - linear @ np.full(2, (side - 1) / 2)))
