"""Scenes composed from portraits, with the mask of the persons on each.

A user sits in the middle; other people are at the edges, behind, small, many, masked, turned away or half hidden.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.upright import FACE_OVAL
from live.pipeline.frame import Floats, ImageU8
from live.render.look_tile import find_faces
from live.tracking.person_segmenter import PersonSegmenter

KINDS = ("alone", "edge", "behind", "small", "many", "masked", "turned away", "half hidden")
_SIDE_PX = 512  # of a portrait
_WALLS = ((168, 176, 170), (120, 140, 160), (200, 205, 210), (90, 100, 95), (150, 130, 120))
_SIZES_WH = ((1280, 720), (640, 480), (960, 540))
_LOWER_FACE = (
    234,
    93,
    132,
    58,
    172,
    136,
    150,
    149,
    176,
    148,
    152,
    377,
    400,
    378,
    379,
    365,
    397,
    288,
    361,
    323,
    454,
    4,
)


@dataclass(frozen=True, eq=False)
class Cutout:
    """A portrait without its background.

    Attributes:
        bgr: (512, 512, 3) uint8.
        alpha: (512, 512) float32, 0..1: the person.
        landmarks_xy: (478, 2) float32 pixels.
    """

    bgr: ImageU8
    alpha: Floats
    landmarks_xy: Floats


@dataclass(frozen=True, eq=False)
class PersonScene:
    """A picture and the persons on it.

    Attributes:
        kind: One of `KINDS`.
        bgr: (H, W, 3) uint8.
        persons: (H, W) float32, 0..1: where the picture shows a person.
    """

    kind: str
    bgr: ImageU8
    persons: Floats


def cut_out(portrait_bgr: ImageU8) -> Cutout | None:
    """Cut the person out of a portrait; None if it does not show exactly one face."""
    bgr = np.asarray(cv2.resize(portrait_bgr, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    faces = find_faces(bgr)
    if len(faces) != 1:
        return None
    with PersonSegmenter(still=True) as segmenter:
        mask = cv2.resize(segmenter.mask(bgr), (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_CUBIC)
    alpha = np.clip((mask.astype(np.float32) / 255 - 0.5) / 0.3, 0, 1)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))
    if count < 2:
        return None
    largest = (labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    return Cutout(
        bgr, np.asarray(alpha * cv2.dilate(largest, np.ones((5, 5), np.uint8)), np.float32), faces[0].landmarks_xy
    )


def compose(seed: int, cutouts: Sequence[Cutout]) -> PersonScene:
    """Compose a scene; the same for the same seed and portraits."""
    rng = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    width, height = (2000, 400) if kind == "many" and rng.random() < 0.4 else rng.choice(_SIZES_WH)
    scene = _Canvas(rng, width, height)

    def one() -> Cutout:
        return rng.choice(cutouts)

    if kind == "many":
        count, side = rng.randint(5, 7), height * rng.uniform(0.55, 0.9)
        side = min(side, 1.25 * width / count)
        for number in range(count):
            scene.put(one(), (number + 0.5) * width / count, height - side * rng.uniform(0.9, 1.0), side)
        return scene.finished(kind)
    if kind in ("behind", "small"):
        for _ in range(rng.randint(1, 3)):
            side = height * (rng.uniform(0.35, 0.6) if kind == "behind" else rng.uniform(0.2, 0.32))
            scene.put(
                one(),
                width * rng.choice([rng.uniform(0.08, 0.28), rng.uniform(0.72, 0.92)]),
                height * rng.uniform(0.15, 0.5),
                side,
            )
    if kind in ("edge", "masked", "turned away", "half hidden"):
        side = height * rng.uniform(0.5, 0.9)
        top = height - side * rng.uniform(0.85, 1.0)
        left = rng.random() < 0.5
        inside = rng.uniform(-0.06, 0.12) * side if kind == "edge" else rng.uniform(0.2, 0.35) * side
        x = inside if left else width - inside
        other = one()
        scene.put(_CHANGES[kind](other) if kind in _CHANGES else other, x, top, side)
        if kind == "half hidden":
            scene.board(x, rng.choice([-1, 1]), side)
    side = height * (rng.uniform(0.7, 1.5) if kind == "alone" else rng.uniform(0.6, 0.85))
    scene.put(one(), width * rng.uniform(0.42, 0.58), height - side * rng.uniform(0.85, 0.97), side)
    return scene.finished(kind)


class _Canvas:
    """A room, and the persons that are put in front of it."""

    def __init__(self, rng: random.Random, width: int, height: int) -> None:
        self._rng, self._noise = rng, np.random.default_rng(rng.randint(0, 10**9))
        shade = np.linspace(1.1, 0.8, height)[:, None, None] * np.linspace(0.9, 1.05, width)[None, :, None]
        bgr = np.asarray(rng.choice(_WALLS), np.float32) * shade
        for _ in range(rng.randint(2, 6)):
            x, y = rng.randint(0, width), rng.randint(0, height // 2)
            colour = [rng.randint(30, 220) for _ in range(3)]
            bgr[y : y + rng.randint(height // 8, height // 2), x : x + rng.randint(width // 12, width // 4)] = colour
        bgr = cv2.GaussianBlur(bgr, (0, 0), 1.2) + self._noise.normal(0, 3, bgr.shape)
        self._bgr = np.clip(bgr, 0, 255).astype(np.uint8)
        self._persons = np.zeros((height, width), np.float32)

    def put(self, cutout: Cutout, x: float, top: float, side: float) -> None:
        """Put a person in front: `x` is the portrait's middle, `side` its side; below the portrait is a board."""
        height, width = self._persons.shape
        size = max(8, round(side))
        interpolation = cv2.INTER_AREA if size < _SIDE_PX else cv2.INTER_CUBIC
        bgr, alpha = (
            cv2.resize(part, (size, size), interpolation=interpolation) for part in (cutout.bgr, cutout.alpha)
        )
        matrix = np.array([[1, 0, round(x - size / 2)], [0, 1, round(top)]], np.float32)
        bgr = cv2.warpAffine(bgr, matrix, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        alpha = np.clip(cv2.warpAffine(alpha, matrix, (width, height), flags=cv2.INTER_NEAREST), 0, 1)
        mixed = self._bgr * (1 - alpha[:, :, None]) + bgr * alpha[:, :, None]
        self._bgr = np.rint(mixed).astype(np.uint8)
        self._persons = np.maximum(self._persons, alpha)
        foot = round(top) + size - 2
        if foot < height:
            self._cover(slice(max(0, foot), None), x - size / 2, x + size / 2)

    def board(self, x: float, side_of: int, side: float) -> None:
        """Hide one half of the person at `x` behind a board."""
        self._cover(slice(None), *sorted((x, x + side_of * side)))

    def _cover(self, rows: slice, left: float, right: float) -> None:
        columns = slice(max(0, round(left)), max(0, round(right)))
        self._bgr[rows, columns] = [self._rng.randint(40, 200) for _ in range(3)]
        self._persons[rows, columns] = 0

    def finished(self, kind: str) -> PersonScene:
        """Return the scene."""
        return PersonScene(kind, self._bgr, self._persons)


def _masked(cutout: Cutout) -> Cutout:
    """Put a surgical mask over mouth and nose."""
    bgr = cutout.bgr.copy()
    cv2.fillPoly(bgr, [np.rint(cutout.landmarks_xy[list(_LOWER_FACE)]).astype(np.int32)], (205, 190, 160), cv2.LINE_AA)
    return Cutout(bgr, cutout.alpha, cutout.landmarks_xy)


def _turned_away(cutout: Cutout) -> Cutout:
    """Cover the face with the texture at the top of the head, like hair seen from behind."""
    low, high = cutout.landmarks_xy[FACE_OVAL].min(0), cutout.landmarks_xy[FACE_OVAL].max(0)
    size_wh = np.rint(high - low).astype(int)
    x, y = int((low[0] + high[0]) / 2), int(low[1])
    above = cutout.bgr[max(0, y - 30) : max(8, y - 4), max(0, x - 30) : x + 30]
    hair = cv2.resize(above, (int(size_wh[0] * 1.2), int(size_wh[1] * 1.2)), interpolation=cv2.INTER_CUBIC)
    oval = np.zeros(cutout.alpha.shape, np.uint8)
    points = (cutout.landmarks_xy[FACE_OVAL] - (low + high) / 2) * 1.08 + (low + high) / 2
    cv2.fillPoly(oval, [np.rint(points).astype(np.int32)], (255,))
    weight: NDArray[np.float32] = cv2.GaussianBlur(oval, (0, 0), 4)[:, :, None].astype(np.float32) / 255
    wide = cutout.bgr.copy()
    left, top = max(0, int(low[0] - 0.1 * size_wh[0])), max(0, int(low[1] - 0.1 * size_wh[1]))
    part = wide[top : top + hair.shape[0], left : left + hair.shape[1]]
    part[:] = hair[: part.shape[0], : part.shape[1]]
    bgr = np.rint(cutout.bgr * (1 - weight) + wide * weight).astype(np.uint8)
    return Cutout(bgr, cutout.alpha, cutout.landmarks_xy)


_CHANGES = {"masked": _masked, "turned away": _turned_away}
