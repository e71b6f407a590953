"""Retouch: even, matt skin that still has pores; everything else of the picture stays as it is.

Frequency separation as retouchers do it by hand, in Lab and with means that count skin alone: the finest band (pores)
stays, the middle band (spots, blotches, wrinkles) is weakened, the widest one (form, light) loses its shine. The
middle band is what an edge-preserving smoother takes away: the self-guided filter of He, Sun and Tang, "Guided Image
Filtering", PAMI 2013, section 3.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.blurs import Floats, blur, mean_within, rise
from engines.training.teachers.face_parts import Parts, find_parts

_USUAL_FACE_PX = 270.0  # `Parts.face_px` in a region of kind "face"; all lengths below are for this one
_PORE_PX = 1.5  # the finest band ends here
_SPOT_PX = 6.0  # the middle band ends here
_TONE_PX = 34.0  # wider than any blotch, narrower than the face's form
_EDGE = 4.2  # in L: steps larger than this are form, not blotches
_WRINKLES = 0.4  # how much of the middle band stays
_PORES = 1.6  # in L: the finest detail is held below about this
_BLOTCH, _REDNESS = 0.5, 0.35  # how much of a deviation from the face's own colour stays; redder ones less
_SHINE_FROM, _SHINE_LEFT = 3.0, 0.45  # in L above the wide tone; how much of what lies above stays


def retouch(region: AlignedRegion) -> NDArray[np.uint8]:
    """The region with its skin retouched, (S, S, 3) RGB uint8; outside the skin not one pixel changes."""
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
    """(S, S) float32 0..1: where there is bare skin to retouch; 0 on beards, hair over the face and glasses.

    Hair and frames are told from skin by their finest detail and by a colour far from the skin round them; below the
    nose, where beards grow, less detail is enough.
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
    """Bright, pale patches of the face with skin all round: too light to be known as skin by their colour."""
    amid = rise(blur(parts.skin, 16.0 * unit), 0.35, 0.6)
    return amid * parts.face * rise(lighter, 3.0, 9.0)


def _where_beards_grow(region: AlignedRegion, face_px: float) -> Floats:
    """(S, S) 0..1: below the nose, and higher up towards the ears."""
    down = region.landmarks_xy[152] - region.landmarks_xy[10]
    down = down / max(float(np.hypot(*down)), 1e-3)
    side_px = region.rgb.shape[0]
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) - region.landmarks_xy[2][::-1, None, None]
    below, beside = (x * down[0] + y * down[1]) / face_px, np.abs(x * down[1] - y * down[0]) / face_px
    return rise(below + 1.2 * np.maximum(beside - 0.3, 0), -0.02, 0.1)


def _spots(lab: Floats, unit: float) -> Floats:
    """(S, S) 0..1, where something small and round is darker or redder than the skin round it."""
    spots = np.zeros(lab.shape[:2], np.float32)
    for size_px in (2.5 * unit, 4.5 * unit):
        smooth = blur(lab[..., 0] - 0.5 * lab[..., 1], size_px)
        xx, yy, xy = (
            0.25 * size_px**2 * cv2.Sobel(smooth, cv2.CV_32F, *order, ksize=3) for order in ((2, 0), (0, 2), (1, 1))
        )
        # The two curvatures: both are positive in a round, dark hollow, one alone in a wrinkle.
        smaller = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
        roundish = rise(smaller / np.maximum(xx + yy - smaller, 0.1), 0.2, 0.5)
        spots = np.maximum(spots, roundish * rise(smaller, 0.5, 1.25))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(3.5 * unit) + 1,) * 2)
    return np.minimum(blur(np.asarray(cv2.dilate(spots, disc), np.float32), 1.5 * unit), 1)


def _new_light(light: Floats, sure: Floats, spots: Floats, unit: float) -> tuple[Floats, Floats]:
    """Where and how strongly it shone (in L), and the new L."""
    coarse = mean_within(light, sure, _PORE_PX * unit)
    coarse += spots * (mean_within(light, sure, 2.0 * _SPOT_PX * unit) - coarse)
    form = _guided(coarse, sure, _SPOT_PX * unit, _EDGE)
    wide = mean_within(form, sure, _TONE_PX * unit)
    over = np.maximum(form - wide - np.float32(_SHINE_FROM), 0)
    shine = np.float32(1 - _SHINE_LEFT) * over * over / (over + 3)
    fine = _PORES * np.tanh((light - blur(light, _PORE_PX * unit)) / _PORES)
    return shine, form - shine + _WRINKLES * (1 - spots) * (coarse - form) + fine


def _new_colour(colour: Floats, sure: Floats, spots: Floats, shine: Floats, unit: float) -> Floats:
    """(S, S, 2) a and b of Lab: closer to the face's own, and restored where light had washed them out."""
    matt = sure / (1 + shine)
    near, wide = mean_within(colour, matt, _SPOT_PX * unit), mean_within(colour, matt, _TONE_PX * unit)
    away = near - wide
    left = np.where(away > 0, np.float32(_REDNESS), np.float32(_BLOTCH))
    left[..., 1] = _BLOTCH
    dull = np.minimum(shine / 8, 1)[..., None]
    grain = (0.5 * (1 - spots))[..., None] * (1 - 0.5 * dull) * (colour - near)
    return np.asarray(wide + left * away * (1 - dull) + grain, np.float32)


def _guided(values: Floats, sure: Floats, sigma_px: float, edge: float) -> Floats:
    """The self-guided filter with Gaussian windows in which only skin counts."""
    mean = mean_within(values, sure, sigma_px)
    spread = np.maximum(mean_within(values * values, sure, sigma_px) - mean * mean, 0)
    kept = spread / (spread + edge * edge)
    return mean_within(kept, sure, sigma_px) * values + mean_within(mean * (1 - kept), sure, sigma_px)
