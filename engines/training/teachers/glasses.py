"""Synthetic glasses on a face; the training target shows their rims as ink."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.plane_set import INK
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS
from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.shading import Floats

_SHARP = 4  # lines are drawn at so many times the region's size: rims are thinner than a pixel of the network's input
_NOSE_ROOT, _TEMPLES = 168, (127, 356)  # landmarks: between the eyes; where the sides of the glasses reach the hair
_INK_WIDTH = 0.035  # least width of a drawn rim, in parts of the eyes' distance
_MIN_EYES_PX = 24.0


@dataclass(frozen=True, slots=True)
class _Shape:
    """A pair of glasses; lengths are in parts of the eyes' distance.

    Attributes:
        half_wh: Half of a lens's width and height.
        squareness: Exponent of the superellipse: 2 is round, 5 nearly rectangular.
        narrower: How much narrower the lower half is.
        drop: How far the lenses' centres lie below those of the eyes.
        arch: How far the bridge is curved upwards.
        width: Of the rims.
        upper_only: Whether the lower half has no rim.
    """

    half_wh: tuple[float, float]
    squareness: float
    narrower: float
    drop: float
    arch: float
    width: float
    upper_only: bool


def add_glasses(region: AlignedRegion, rng: np.random.Generator) -> tuple[AlignedRegion, Floats]:
    """Return a region, RGB uint8, with thin glasses of random shape and material, and where their rims are.

    The same state of `rng` gives the same picture.

    Returns:
        The region, (S, S, 3), and the ink of the rims, (S, S) float32 0..1: 0 everywhere if the face is too small.
    """
    side_px = region.rgb.shape[0]
    shape = _shape(rng)
    eyes_px = _eyes_apart_px(region.landmarks_xy)
    if eyes_px < _MIN_EYES_PX:
        return region, np.zeros((side_px, side_px), np.float32)
    lines = _lines(region.landmarks_xy.astype(np.float64), shape)
    rims = _stroked(lines, shape.width * eyes_px, side_px)
    down = np.array([[1, 0, 0], [0, 1, 0.03 * eyes_px]])
    shadow = cv2.GaussianBlur(cv2.warpAffine(rims, down, (side_px, side_px)), (0, 0), 0.02 * eyes_px)
    rgb = region.rgb.astype(np.float32) * (1 - np.float32(rng.uniform(0, 0.25)) * shadow[..., None])
    rgb = _with_lenses(rgb, lines[:2], rng)
    cover = rims[..., None] * np.float32(rng.uniform(0.55, 1.0))
    rgb = rgb * (1 - cover) + _material(side_px, eyes_px, rng) * cover
    drawn = replace(region, rgb=np.asarray(np.rint(rgb.clip(0, 255)), np.uint8))
    return drawn, _stroked(lines, max(shape.width, _INK_WIDTH) * eyes_px, side_px)


def with_rims(planes: NDArray[np.uint8], rims: Floats) -> NDArray[np.uint8]:
    """Return a teacher's planes of a region, (2 S, S, 3) uint8, with rims (S, S) 0..1 as ink."""
    colour, fields = np.split(planes, 2)
    inked = fields.copy()
    inked[:, :, INK] = np.maximum(fields[:, :, INK], np.rint(255 * rims).astype(np.uint8))
    return np.concatenate((colour, inked))


def _eyes_apart_px(landmarks_xy: NDArray[np.float32]) -> float:
    left, right = (landmarks_xy[[*upper, *lower]].mean(0) for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True))
    return float(np.hypot(*(right - left)))


def _shape(rng: np.random.Generator) -> _Shape:
    wide = rng.uniform(0.34, 0.44)
    return _Shape(
        half_wh=(wide, wide * rng.uniform(0.55, 1.0)),
        squareness=rng.uniform(2.0, 5.0),
        narrower=rng.uniform(0.0, 0.2),
        drop=rng.uniform(0.02, 0.12),
        arch=rng.uniform(-0.02, 0.08),
        width=rng.choice([rng.uniform(0.012, 0.025), rng.uniform(0.025, 0.06)], p=[0.75, 0.25]),
        upper_only=rng.uniform() < 0.15,
    )


def _lines(landmarks_xy: NDArray[np.float64], shape: _Shape) -> list[NDArray[np.float64]]:
    """Return the outlines of both lenses, the bridge and both sides, (N, 2) pixels each.

    A lens of a turned head is narrower on the side that is turned away.
    """
    eyes = [landmarks_xy[[*upper, *lower]].mean(0) for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True)]
    along = eyes[1] - eyes[0]
    apart = float(np.hypot(*along))
    across = along / apart
    down = np.array([-across[1], across[0]])
    root = float((landmarks_xy[_NOSE_ROOT] - eyes[0]) @ across)
    turned = np.clip(np.array([root, apart - root]) / (apart / 2), 0.4, 1.4)
    angles = np.linspace(0, np.pi, 48) if shape.upper_only else np.linspace(0, 2 * np.pi, 96)
    x, y = (np.sign(one) * np.abs(one) ** (2 / shape.squareness) for one in (np.cos(angles), -np.sin(angles)))
    x = x * (1 - shape.narrower * np.clip(y, 0, 1))
    lenses, inner = [], []
    for sign, eye, turn in zip((1, -1), eyes, turned, strict=True):
        half = shape.half_wh[0] * apart * turn
        centre = eye + down * shape.drop * apart
        lenses.append(centre + np.outer(sign * x * half, across) + np.outer(y * shape.half_wh[1] * apart, down))
        inner.append(centre + across * sign * half * 0.98 - down * 0.25 * shape.half_wh[1] * apart)
    steps = np.linspace(0, 1, 24)[:, None]
    bridge = inner[0] + steps * (inner[1] - inner[0]) - 4 * steps * (1 - steps) * shape.arch * apart * down
    sides = []
    for lens, temple, sign in zip(lenses, _TEMPLES, (-1, 1), strict=True):
        outer = lens[np.argmax(sign * (lens @ across) - 0.3 * (lens @ down))]
        end = landmarks_xy[temple] + sign * 0.06 * apart * across
        if sign * float((end - outer) @ across) > 0:  # otherwise the lens hides it
            sides.append(np.stack((outer, end)))
    return [*lenses, bridge, *sides]


def _stroked(lines: list[NDArray[np.float64]], width_px: float, side_px: int) -> Floats:
    """Return lines of a width, (S, S) float32 0..1."""
    large = np.zeros((side_px * _SHARP,) * 2, np.uint8)
    places = [np.rint((line * _SHARP - 0.5) * 16).clip(-(2**24), 2**24).astype(np.int32) for line in lines]
    cv2.polylines(large, places, False, (255,), max(1, round(width_px * _SHARP)), cv2.LINE_AA, 4)
    small = cv2.resize(large, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _material(side_px: int, eyes_px: float, rng: np.random.Generator) -> Floats:
    """Return the colours of the rims, (S, S, 3) RGB: metal, horn or clear plastic, with highlights along them."""
    kinds = ((200, 200, 205), (205, 175, 120), (120, 120, 125), (60, 50, 45), (25, 25, 28), (225, 215, 210))
    colour = np.array(kinds[int(rng.integers(len(kinds)))], np.float32) * np.float32(rng.uniform(0.8, 1.1))
    cells = max(4, round(side_px / (0.15 * eyes_px)))
    light = rng.standard_normal((cells, cells)).astype(np.float32)
    light = np.asarray(cv2.resize(light, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.float32)
    return np.asarray(colour + np.float32(rng.uniform(0, 45)) * light[..., None], np.float32)


def _with_lenses(rgb: Floats, lenses: list[NDArray[np.float64]], rng: np.random.Generator) -> Floats:
    """Return a picture, (S, S, 3) RGB, with a faint tint and, sometimes, the reflection of a window in the lenses."""
    inside = np.zeros(rgb.shape[:2], np.uint8)
    cv2.fillPoly(inside, [np.rint((lens - 0.5) * 16).astype(np.int32) for lens in lenses], (255,), cv2.LINE_8, 4)
    mask = cv2.GaussianBlur(inside, (0, 0), 1.0).astype(np.float32)[..., None] / np.float32(255)
    rgb = rgb * (1 - mask * np.float32(rng.uniform(0, 0.12)) * rng.uniform(0, 1, 3).astype(np.float32))
    if rng.uniform() < 0.3:
        glare = np.zeros(rgb.shape[:2], np.uint8)
        for lens in lenses:
            low, high = lens.min(0), lens.max(0)
            size = (high - low) * rng.uniform(0.15, 0.4, 2)
            corner = low + (high - low - size) * rng.uniform(0.1, 0.9, 2)
            cv2.rectangle(
                glare, np.rint(corner).astype(int).tolist(), np.rint(corner + size).astype(int).tolist(), (255,), -1
            )
        soft = cv2.GaussianBlur(cv2.min(glare, inside), (0, 0), 2.0).astype(np.float32)[..., None] / np.float32(255)
        rgb = rgb + soft * np.float32(rng.uniform(10, 70))
    return np.asarray(rgb, np.float32)
