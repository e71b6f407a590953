"""Synthetic blemishes on a clean face; the training target is the retouched clean face."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.face_parts import find_parts
from engines.training.teachers.shading import Floats, blur, mean_within

_USUAL_FACE_PX = 270.0  # lengths below are for a face of this size (`Parts.face_px`)


def add_blemishes(region: AlignedRegion, rng: np.random.Generator) -> AlignedRegion:
    """Return the region, RGB uint8, with random spots, redness, shine and uneven tone on its skin.

    The same state of `rng` gives the same picture.
    """
    parts = find_parts(region)
    if float(parts.skin.max()) < 0.5:
        return region
    unit = parts.face_px / _USUAL_FACE_PX
    skin = np.minimum(parts.skin, parts.person)
    lab = np.asarray(cv2.cvtColor(region.rgb.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB), np.float32)
    change = _uneven(lab.shape[0], unit, rng) + _redness(skin, unit, rng) + _spots(skin, unit, rng)
    depth = float(np.clip(parts.skin_lab[0] / 65.0, 0.55, 1.1))  # a spot has less contrast on darker skin
    lab = lab + (skin * depth)[..., None] * change
    lab = _shine(lab, skin * parts.face, unit, rng)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * np.float32(255)
    painted = np.clip(np.rint(rgb), 0, 255).astype(np.uint8)
    untouched = skin < 0.02
    painted[untouched] = region.rgb[untouched]
    return replace(region, rgb=painted)


def _places(skin: Floats, number: int, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return random points (x, y) on skin, pixels."""
    y, x = np.nonzero(skin > 0.6)
    if not len(x):
        return []
    return [
        (float(x[i]) + float(rng.uniform()), float(y[i]) + float(rng.uniform()))
        for i in rng.integers(len(x), size=number)
    ]


def _cloud(side_px: int, sigma_px: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise, (S, S), of about unit variance."""
    cells = max(4, round(side_px / max(sigma_px, 1.0)))
    noise = rng.standard_normal((cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(noise, (side_px, side_px), interpolation=cv2.INTER_CUBIC), np.float32)


def _uneven(side_px: int, unit: float, rng: np.random.Generator) -> Floats:
    """Return blotches of lightness, red and yellow: the change of Lab, (S, S, 3)."""
    strength = rng.uniform(0.0, 1.0)
    light = 1.3 * _cloud(side_px, 16 * unit, rng) + 0.9 * _cloud(side_px, 6 * unit, rng)
    red = 1.5 * _cloud(side_px, 20 * unit, rng) + 0.8 * _cloud(side_px, 8 * unit, rng)
    return np.asarray(
        np.stack((light, red, 0.5 * red + _cloud(side_px, 24 * unit, rng)), axis=-1) * strength, np.float32
    )


def _redness(skin: Floats, unit: float, rng: np.random.Generator) -> Floats:
    """Return a few wide, soft red patches: the change of Lab, (S, S, 3)."""
    patches = np.zeros(skin.shape, np.float32)
    for x, y in _places(skin, int(rng.integers(0, 4)), rng):
        _add_spot(patches, x, y, rng.uniform(18, 45) * unit, rng.uniform(0.6, 1.5), rng.uniform(0.3, 1.0))
    patches *= np.clip(1 + 0.35 * _cloud(skin.shape[0], 7 * unit, rng), 0, 2)
    patches = np.minimum(patches, 1.2) * np.float32(rng.uniform(3, 9))
    return patches[..., None] * np.array([-0.45, 1.0, 0.25], np.float32)


def _spots(skin: Floats, unit: float, rng: np.random.Generator) -> Floats:
    """Return pimples, some with a pale centre, freckles and scars: the change of Lab, (S, S, 3)."""
    red, pale, brown = (np.zeros(skin.shape, np.float32) for _ in range(3))
    number = int(rng.choice([0, 4, 12, 30], p=[0.15, 0.3, 0.35, 0.2]))
    for x, y in _places(skin, int(rng.integers(number // 2, number + 1)), rng):
        size_px = float(rng.gamma(4.0, 0.7) + 1.0) * unit
        strength = float(rng.uniform(0.3, 1.0))
        if rng.uniform() < 0.6:
            _add_spot(red, x, y, 1.6 * size_px, rng.uniform(0.8, 1.25), strength)
            if rng.uniform() < 0.3:
                _add_spot(pale, x, y, 0.5 * size_px, 1.0, strength)
        else:
            _add_spot(brown, x, y, 0.8 * size_px, rng.uniform(0.7, 1.4), strength)
    change = np.minimum(red, 1.0)[..., None] * np.array([-7.0, 12.0, 4.0], np.float32)
    change = change + np.minimum(pale, 1.0)[..., None] * np.array([9.0, -5.0, 2.0], np.float32)
    return np.asarray(change + np.minimum(brown, 1.0)[..., None] * np.array([-13.0, 2.5, 3.0], np.float32), np.float32)


def _add_spot(onto: Floats, x: float, y: float, sigma_px: float, stretch: float, strength: float) -> None:
    """Add a soft, flat-topped ellipse to a picture (S, S), in place."""
    reach = int(2.2 * sigma_px * max(stretch, 1 / stretch)) + 2
    left, top = max(0, int(x) - reach), max(0, int(y) - reach)
    window = onto[top : int(y) + reach + 1, left : int(x) + reach + 1]
    down, along = np.mgrid[0 : window.shape[0], 0 : window.shape[1]].astype(np.float32)
    far = ((along + left - x) / (sigma_px * stretch)) ** 2 + ((down + top - y) * stretch / sigma_px) ** 2
    window += np.float32(strength) * np.exp(-0.5 * far**1.5, dtype=np.float32)


def _shine(lab: Floats, skin: Floats, unit: float, rng: np.random.Generator) -> Floats:
    """Return Lab with shine: the lightest skin and some random places become lighter and paler."""
    strength = float(rng.choice([0.0, 1.0], p=[0.35, 0.65]) * rng.uniform(0.3, 1.0))
    light = lab[..., 0]
    form = mean_within(light, skin, 4.0 * unit)
    over = np.clip((form - mean_within(light, skin, 30.0 * unit)) / 10, 0, 1)
    places = np.zeros(skin.shape, np.float32)
    for x, y in _places(skin, int(rng.integers(0, 4)), rng):
        _add_spot(places, x, y, rng.uniform(8, 22) * unit, rng.uniform(0.7, 1.4), rng.uniform(0.3, 0.8))
    grain = np.clip(1 + 0.15 * _cloud(light.shape[0], 2.5 * unit, rng), 0, 2)
    gloss = np.minimum(over + places, 1) * grain * blur(skin, 5.0 * unit) * skin * np.float32(strength)
    shiny = lab.copy()
    shiny[..., 0] += gloss * np.minimum(14, 0.5 * (100 - light))
    shiny[..., 1:] *= (1 - 0.3 * gloss)[..., None]
    return shiny
