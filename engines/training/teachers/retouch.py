"""Retouch: even, matt skin that keeps its pores. Everything outside the skin is unchanged.

Frequency separation in CIE Lab, with means over skin pixels only: the finest band (pores) is kept, the middle band
(spots, blotches, wrinkles) is weakened, shine is removed from the widest band (form, light). The middle band is what
an edge-preserving smoother removes: the self-guided filter of He, Sun and Tang, "Guided Image Filtering", PAMI 2013,
section 3.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.smooth_step import rise
from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.shading import Floats, blur, mean_within

_USUAL_FACE_PX = 270.0  # `Parts.face_px` of a typical region "face"; lengths below are for this size
_PORE_PX = 1.5  # upper end of the finest band
_SPOT_PX = 6.0  # upper end of the middle band
_TONE_PX = 34.0  # wider than any blotch, narrower than the face's form
_EDGE = 4.2  # in L; larger steps are form, not blotches
_WRINKLES = 0.4  # share of the middle band that is kept
_PORES = 1.6  # in L; soft limit of the finest detail
_BLOTCH, _REDNESS = 0.5, 0.35  # kept share of a deviation from the face's mean colour
_SHINE_FROM, _SHINE_LEFT = 3.0, 0.45  # in L above the wide mean; kept share above it


def retouch(region: AlignedRegion) -> NDArray[np.uint8]:
    """Return the region with retouched skin, (S, S, 3) RGB uint8; no pixel outside the skin changes."""
    parts = find_parts(region)
    unit = parts.face_px / _USUAL_FACE_PX
    rgb = region.rgb.astype(np.float32) * np.float32(1 / 255)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.float32)
    skin = smooth_skin(region, parts, lab)
    if float(skin.max()) == 0.0:
        return region.rgb.copy()
    light, colour = np.ascontiguousarray(lab[..., 0]), np.ascontiguousarray(lab[..., 1:])
    spots = _spots(lab, unit)
    sure = skin * (1 - spots)
    new = np.empty_like(lab)
    shine, new[..., 0] = _new_light(light, sure, spots, unit)
    new[..., 1:] = _new_colour(colour, sure, spots, shine, unit)
    new = lab + skin[..., None] * (new - lab)
    painted: NDArray[np.uint8] = np.clip(np.rint(cv2.cvtColor(new, cv2.COLOR_LAB2RGB) * 255), 0, 255).astype(np.uint8)
    painted[skin == 0] = region.rgb[skin == 0]
    return painted


def smooth_skin(region: AlignedRegion, parts: Parts, lab: Floats) -> Floats:
    """Return the mask of bare skin, (S, S) float32 0..1, of a region in CIE Lab; 0 on beards, hair and glasses.

    Hair and frames of glasses differ from skin in their fine detail and in colour. Below the nose, where beards grow,
    less detail is enough.
    """
    unit = parts.face_px / _USUAL_FACE_PX
    light = np.asarray(lab[..., 0], np.float32)
    rough = blur(np.abs(light - blur(light, 2.2 * unit)), 4.0 * unit)
    away = blur(lab, 2.0 * unit) - mean_within(lab, parts.skin, _TONE_PX * unit)
    shining = _shining(parts, away[..., 0], unit)
    features = parts.eyes + parts.brows + parts.lips + parts.mouth_opening + parts.nostrils
    skin = np.maximum(parts.skin, shining) * np.clip(1 - 1.5 * features, 0, 1)
    dark = rise(-away[..., 0], 20.0, 34.0)
    strange = rise(np.hypot(away[..., 1], away[..., 2]), 14.0, 24.0) * (1 - shining)
    low = _where_beards_grow(region, parts.face_px)
    bearded = low * rise(blur(rough, 4.0 * unit), 1.5, 2.5)
    bare = (1 - rise(rough, 3.0, 5.5)) * (1 - dark) * (1 - strange) * (1 - bearded)
    bare = blur(np.asarray(cv2.erode(bare, np.ones((3, 3), np.uint8)), np.float32), 2.0 * unit)
    sure = skin * bare * parts.person
    return np.where(sure < 0.02, np.float32(0), sure)


def _shining(parts: Parts, lighter: Floats, unit: float) -> Floats:
    """Return bright, pale patches (S, S) amid skin, 0..1; they are too light to be recognised as skin by colour."""
    amid = rise(blur(parts.skin, 16.0 * unit), 0.35, 0.6)
    return amid * parts.face * rise(lighter, 3.0, 9.0)


def _where_beards_grow(region: AlignedRegion, face_px: float) -> Floats:
    """Return the area below the nose, (S, S) 0..1; it reaches higher towards the ears."""
    down = region.landmarks_xy[152] - region.landmarks_xy[10]
    down = down / max(float(np.hypot(*down)), 1e-3)
    side_px = region.rgb.shape[0]
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) - region.landmarks_xy[2][::-1, None, None]
    below, beside = (x * down[0] + y * down[1]) / face_px, np.abs(x * down[1] - y * down[0]) / face_px
    return rise(below + 1.2 * np.maximum(beside - 0.3, 0), -0.02, 0.1)


def _spots(lab: Floats, unit: float) -> Floats:
    """Return small round spots darker or redder than the skin around them, (S, S) 0..1."""
    spots = np.zeros(lab.shape[:2], np.float32)
    for size_px in (2.5 * unit, 4.5 * unit):
        smooth = blur(lab[..., 0] - 0.5 * lab[..., 1], size_px)
        xx, yy, xy = (
            0.25 * size_px**2 * cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((2, 0), (0, 2), (1, 1))
        )
        # Both principal curvatures are positive in a round dark spot, only one in a wrinkle.
        smaller = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
        roundish = rise(smaller / np.maximum(xx + yy - smaller, 0.1), 0.2, 0.5)
        spots = np.maximum(spots, roundish * rise(smaller, 0.5, 1.25))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(3.5 * unit) + 1,) * 2)
    return np.minimum(blur(np.asarray(cv2.dilate(spots, disc), np.float32), 1.5 * unit), 1)


def _new_light(light: Floats, sure: Floats, spots: Floats, unit: float) -> tuple[Floats, Floats]:
    """Return the removed shine and the new lightness, both (S, S) in L."""
    coarse = mean_within(light, sure, _PORE_PX * unit)
    coarse += spots * (mean_within(light, sure, 2.0 * _SPOT_PX * unit) - coarse)
    form = _guided(coarse, sure, _SPOT_PX * unit, _EDGE)
    wide = mean_within(form, sure, _TONE_PX * unit)
    over = np.maximum(form - wide - np.float32(_SHINE_FROM), 0)
    shine = np.float32(1 - _SHINE_LEFT) * over * over / (over + 3)
    fine = _PORES * np.tanh((light - blur(light, _PORE_PX * unit)) / _PORES)
    return shine, form - shine + _WRINKLES * (1 - spots) * (coarse - form) + fine


def _new_colour(colour: Floats, sure: Floats, spots: Floats, shine: Floats, unit: float) -> Floats:
    """Return a and b of Lab, (S, S, 2): closer to the face's mean, and restored where shine had bleached them."""
    matt = sure / (1 + shine)
    near, wide = mean_within(colour, matt, _SPOT_PX * unit), mean_within(colour, matt, _TONE_PX * unit)
    away = near - wide
    left = np.where(away > 0, np.float32(_REDNESS), np.float32(_BLOTCH))
    left[..., 1] = _BLOTCH
    dull = np.minimum(shine / 8, 1)[..., None]
    grain = (0.5 * (1 - spots))[..., None] * (1 - 0.5 * dull) * (colour - near)
    return np.asarray(wide + left * away * (1 - dull) + grain, np.float32)


def _guided(values: Floats, sure: Floats, sigma_px: float, edge: float) -> Floats:
    """Apply the self-guided filter with Gaussian windows over skin pixels only."""
    mean = mean_within(values, sure, sigma_px)
    spread = np.maximum(mean_within(values * values, sure, sigma_px) - mean * mean, 0)
    kept = spread / (spread + edge * edge)
    return mean_within(kept, sure, sigma_px) * values + mean_within(mean * (1 - kept), sure, sigma_px)
