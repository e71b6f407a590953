"""Pencil on paper: contours, soft tone, and hatching that follows the form because it is grown from the form.

Contours are a flow-based difference of Gaussians (Kang, Lee, Chui, "Coherent Line Drawing", NPAR 2007, section 3).
The hatching is the picture's own detail smoothed along the edge tangents and made stronger, as line integral
convolution would draw it, but from hair, lashes and folds instead of noise: it moves with what it lies on, and a small
network that sees pixels alone can learn it. Strokes ruled on the paper did neither: faces slid about under them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.blurs import Floats, blur, mean_within, rise
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, tangent_flow

_USUAL_FACE_PX = 196.0  # `Parts.face_px` in a region of kind "head"; all lengths below are for this one
_MORE_LIGHT, _SHOULDER = 1.12, 0.85
_PAPER, _GRAPHITE = np.array([247, 243, 235], np.float32), np.array([52, 51, 55], np.float32)


def sketch(region: AlignedRegion) -> NDArray[np.uint8]:
    """The region drawn in pencil, (S, S, 3) RGB uint8."""
    parts = find_parts(region)
    unit = float(np.clip(parts.face_px / _USUAL_FACE_PX, 0.6, 2.0))
    light = _pencil_light(region, parts)
    smooth = blur(light, 0.8 * unit)
    room = 0.16 + 0.84 * blur(light, 9.0 * unit)  # the same step counts for more where it is dark
    tone = _tone(light, parts, unit)
    drawn = np.clip(tone + _hatching(light, room, tone, parts, unit), 0, 1)
    drawn = 1 - (1 - drawn) * (1 - _contours(light, smooth, room, parts, unit))
    rgb = _PAPER + np.clip(drawn, 0, 1)[..., None] * (_GRAPHITE - _PAPER)
    return np.asarray(np.clip(np.rint(rgb), 0, 255), np.uint8)


def _pencil_light(region: AlignedRegion, parts: Parts) -> Floats:
    """(S, S) 0..1: lightness as a draughtsman sees it; red lips are darker than a grey picture shows them."""
    lab = cv2.cvtColor(region.rgb.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    redder = np.maximum(lab[..., 1] - parts.skin_lab[1], 0) * parts.lips
    # As if a little more light had come in, the same everywhere: what depends on the whole picture, a network that sees
    # a part of it can only guess, and its guesses wander from frame to frame.
    light = np.maximum((lab[..., 0] - 0.5 * redder) * np.float32(0.01 * _MORE_LIGHT), 0)
    bright = np.tanh((light - _SHOULDER) / (1 - _SHOULDER))
    return np.asarray(np.where(light > _SHOULDER, _SHOULDER + (1 - _SHOULDER) * bright, light), np.float32)


def _tone(light: Floats, parts: Parts, unit: float) -> Floats:
    """(S, S) 0..1: smooth shading; logarithmic, so that dark skin keeps its modelling and never turns black."""
    even = cv2.ximgproc.guidedFilter(light, light, max(2, round(5 * unit)), 0.004)
    dark = 1 - np.log1p(3.0 * even) * np.float32(1 / np.log(4.0))
    wide = blur(dark, 16.0 * unit)
    wide += parts.skin * (mean_within(dark, parts.skin, 16.0 * unit) - wide)  # dark hair beside it must not bleach skin
    dark = dark + (0.5 + 0.4 * parts.skin) * (dark - wide)
    dark = np.maximum(dark - 0.045 + 0.07 * parts.lips + 0.1 * parts.nostrils, 0) * np.float32(1.05)
    modelled = np.asarray(0.92 * np.tanh(dark / 0.92), np.float32)
    # The form stays the sitter's; nothing here asks what is skin: a beige wall would be taken for it now and then.
    return np.asarray(0.43 * modelled + 0.52 * np.maximum(0.955 - even, 0), np.float32)


def _hatching(light: Floats, room: Floats, tone: Floats, parts: Parts, unit: float) -> Floats:
    """(S, S), darker and, half as much, lighter: strokes along the flow in hair and in the shade, next to none on skin.

    A face's shading carries the likeness: strokes across it pull every contour askew.
    """
    streams = Streamlines(tangent_flow(blur(light, 0.8 * unit), 4.0 * unit), length_px=16.0 * unit, step_px=2.0)
    detail = blur(light, 0.9 * unit) - blur(light, 3.2 * unit)  # nothing finer: it would tremble, and cloth would crawl
    combed = streams.smooth(detail, 7.0 * unit) / room
    hairy = np.clip(parts.hair + parts.brows + 0.5 * parts.eyes, 0, 1)
    wanted = np.maximum(hairy, rise(blur(tone, 4.0 * unit), 0.12, 0.5))
    most = (0.06 + 0.3 * wanted) * (1 - 0.9 * np.maximum(parts.face, parts.skin) * (1 - 0.8 * hairy))
    strokes = -most * np.tanh(combed * (0.7 + 1.3 * wanted) / 0.16)
    return np.asarray(np.where(strokes < 0, 0.4 * strokes, strokes), np.float32)  # light ones glow round dark things


def _contours(light: Floats, smooth: Floats, room: Floats, parts: Parts, unit: float) -> Floats:
    """(S, S) 0..1: lines, dark on eyes, brows, nose and lips, light on wrinkles."""
    streams = Streamlines(tangent_flow(smooth, 2.6 * unit), length_px=9.0 * unit, step_px=2.0)
    combed = streams.smooth(dark_lines(light, 1.3 * unit), 4.0 * unit) / room
    features = np.clip(parts.eyes + 0.7 * parts.brows + parts.nostrils + parts.lips + parts.mouth_opening, 0, 1)
    features = np.maximum(features, blur(features, 3.0 * unit))
    most = 0.58 + 0.34 * features - 0.26 * parts.skin * (1 - features)
    dark = np.clip(parts.eyes + parts.nostrils, 0, 1)
    skin = np.maximum(parts.face, parts.skin)
    most *= (1 - 0.58 * skin * (1 - 0.7 * dark)) * (1 - 0.25 * skin)  # bolder ones change who it is
    return np.asarray(most * rise(combed, 0.01, 0.085), np.float32)
