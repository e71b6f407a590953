"""Sketch: pencil on paper with contours, soft tone, and hatching that follows the form.

Contours are a flow-based difference of Gaussians (Kang, Lee, Chui, "Coherent Line Drawing", NPAR 2007, section 3).
The hatching is the picture's own detail, smoothed along the edge tangents and amplified: line integral convolution of
hair, lashes and folds instead of noise. It moves with the surface, and a small network can learn it from the pixels.
Strokes fixed to the paper slide over a moving face.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.smooth_step import rise
from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, tangent_flow
from engines.training.teachers.shading import Floats, blur, mean_within

_USUAL_FACE_PX = 196.0  # `Parts.face_px` of a typical region "head"; lengths below are for this size
_MORE_LIGHT, _SHOULDER = 1.12, 0.85
_PAPER, _GRAPHITE = np.array([247, 243, 235], np.float32), np.array([52, 51, 55], np.float32)


def sketch(region: AlignedRegion) -> NDArray[np.uint8]:
    """Return the region drawn in pencil, (S, S, 3) RGB uint8."""
    parts = find_parts(region)
    unit = float(np.clip(parts.face_px / _USUAL_FACE_PX, 0.6, 2.0))
    light = _pencil_light(region, parts)
    smooth = blur(light, 0.8 * unit)
    room = 0.16 + 0.84 * blur(light, 9.0 * unit)  # a step has more contrast where it is dark
    tone = _tone(light, parts, unit)
    drawn = np.clip(tone + _hatching(light, room, tone, parts, unit), 0, 1)
    drawn = 1 - (1 - drawn) * (1 - _contours(light, smooth, room, parts, unit))
    rgb = _PAPER + np.clip(drawn, 0, 1)[..., None] * (_GRAPHITE - _PAPER)
    return np.asarray(np.clip(np.rint(rgb), 0, 255), np.uint8)


def _pencil_light(region: AlignedRegion, parts: Parts) -> Floats:
    """Return lightness (S, S) 0..1, with red lips darker than in a grey picture."""
    lab = cv2.cvtColor(region.rgb.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    redder = np.maximum(lab[..., 1] - parts.skin_lab[1], 0) * parts.lips
    # A constant gain: a gain that depends on the whole picture cannot be learned by a network with a limited field of
    # view, and would flicker.
    light = np.maximum((lab[..., 0] - 0.5 * redder) * np.float32(0.01 * _MORE_LIGHT), 0)
    bright = np.tanh((light - _SHOULDER) / (1 - _SHOULDER))
    return np.asarray(np.where(light > _SHOULDER, _SHOULDER + (1 - _SHOULDER) * bright, light), np.float32)


def _tone(light: Floats, parts: Parts, unit: float) -> Floats:
    """Return smooth shading, (S, S) 0..1; logarithmic, so that dark skin keeps its shading and never turns black."""
    even = cv2.ximgproc.guidedFilter(light, light, max(2, round(5 * unit)), 0.004)
    dark = 1 - np.log1p(3.0 * even) * np.float32(1 / np.log(4.0))
    wide = blur(dark, 16.0 * unit)
    wide += parts.skin * (mean_within(dark, parts.skin, 16.0 * unit) - wide)  # hair must not bleach skin
    dark = dark + (0.5 + 0.4 * parts.skin) * (dark - wide)
    dark = np.maximum(dark - 0.045 + 0.07 * parts.lips + 0.1 * parts.nostrils, 0) * np.float32(1.05)
    modelled = np.asarray(0.92 * np.tanh(dark / 0.92), np.float32)
    # No skin mask in the sum: a beige wall is mistaken for skin now and then.
    return np.asarray(0.43 * modelled + 0.52 * np.maximum(0.955 - even, 0), np.float32)


def _hatching(light: Floats, room: Floats, tone: Floats, parts: Parts, unit: float) -> Floats:
    """Return strokes along the flow, (S, S), positive for darker: in hair and shade, almost none on skin.

    The shading of a face carries the likeness, which strokes across it would distort.
    """
    streams = Streamlines(tangent_flow(blur(light, 0.8 * unit), 4.0 * unit), length_px=16.0 * unit, step_px=2.0)
    detail = blur(light, 0.9 * unit) - blur(light, 3.2 * unit)  # finer detail would flicker
    combed = streams.smooth(detail, 7.0 * unit) / room
    hairy = np.clip(parts.hair + parts.brows + 0.5 * parts.eyes, 0, 1)
    density = np.maximum(hairy, rise(blur(tone, 4.0 * unit), 0.12, 0.5))
    strongest = (0.06 + 0.3 * density) * (1 - 0.9 * np.maximum(parts.face, parts.skin) * (1 - 0.8 * hairy))
    strokes = -strongest * np.tanh(combed * (0.7 + 1.3 * density) / 0.16)
    return np.asarray(np.where(strokes < 0, 0.4 * strokes, strokes), np.float32)  # strong light strokes look like halos


def _contours(light: Floats, smooth: Floats, room: Floats, parts: Parts, unit: float) -> Floats:
    """Return lines, (S, S) 0..1: dark on eyes, brows, nose and lips, light on wrinkles."""
    streams = Streamlines(tangent_flow(smooth, 2.6 * unit), length_px=9.0 * unit, step_px=2.0)
    combed = streams.smooth(dark_lines(light, 1.3 * unit), 4.0 * unit) / room
    features = np.clip(parts.eyes + 0.7 * parts.brows + parts.nostrils + parts.lips + parts.mouth_opening, 0, 1)
    features = np.maximum(features, blur(features, 3.0 * unit))
    strongest = 0.58 + 0.34 * features - 0.26 * parts.skin * (1 - features)
    dark = np.clip(parts.eyes + parts.nostrils, 0, 1)
    skin = np.maximum(parts.face, parts.skin)
    strongest *= (1 - 0.58 * skin * (1 - 0.7 * dark)) * (1 - 0.25 * skin)  # bolder lines change the likeness
    return np.asarray(strongest * rise(combed, 0.01, 0.085), np.float32)
