"""Pencil on paper: contours, strokes grown from the picture's own detail, soft tone, and faint hatching in the shade.

Contours are a flow-based difference of Gaussians (Kang, Lee, Chui, "Coherent Line Drawing", NPAR 2007, section 3).
Strokes are detail smoothed along the edge tangents and made stronger, as line integral convolution would draw them,
but grown from hair, lashes and folds instead of noise: a small network that sees pixels alone can learn them.
The hatching repeats every `HATCH_PERIOD_PX`: a network that halves its picture often enough can learn that too.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.aligned import AlignedRegion
from engines.training.teachers.blurs import Floats, blur, mean_within, rise
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, tangent_flow

HATCH_PERIOD_PX = 16  # across and down the 512 pixel region; 8 where the region is brought down to 256
_USUAL_FACE_PX = 196.0  # `Parts.face_px` in a region of kind "head"; all lengths below are for this one
_PAPER, _GRAPHITE = np.array([247, 243, 235], np.float32), np.array([52, 51, 55], np.float32)


def sketch(region: AlignedRegion) -> NDArray[np.uint8]:
    """The region drawn in pencil, (S, S, 3) RGB uint8."""
    parts = find_parts(region)
    unit = float(np.clip(parts.face_px / _USUAL_FACE_PX, 0.6, 2.0))
    light = _pencil_light(region, parts)
    smooth = blur(light, 0.8 * unit)
    streams = Streamlines(tangent_flow(smooth, 2.6 * unit), length_px=9.0 * unit, step_px=2.0)
    room = 0.16 + 0.84 * blur(light, 9.0 * unit)  # the same step counts for more where it is dark
    tone = _tone(light, parts, unit)
    strokes = _strokes(light, room, streams, parts, unit)
    lines = _contours(light, room, streams, parts, unit)
    drawn = np.clip(tone + strokes, 0, 1)
    # No hatching on the face: its shading carries the likeness, and stripes across it pull every contour askew.
    plain = 1 - np.clip(parts.eyes + parts.lips + 0.5 * parts.hair, 0, 1)
    plain *= 1 - np.maximum.reduce((blur(np.maximum(parts.face, parts.jaw), 6.0 * unit), parts.skin))
    drawn = drawn + 0.45 * plain * _hatching(drawn, smooth, unit)
    drawn = 1 - (1 - np.clip(drawn, 0, 1)) * (1 - lines)
    rgb = _PAPER + np.clip(drawn, 0, 1)[..., None] * (_GRAPHITE - _PAPER)
    return np.asarray(np.clip(np.rint(rgb), 0, 255), np.uint8)


def _pencil_light(region: AlignedRegion, parts: Parts) -> Floats:
    """(S, S) 0..1: lightness as a draughtsman sees it; red lips are darker than a grey picture shows them."""
    lab = cv2.cvtColor(region.rgb.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2LAB)
    redder = np.maximum(lab[..., 1] - parts.skin_lab[1], 0) * parts.lips
    light = np.clip((lab[..., 0] - 0.5 * redder) * 0.01, 0, 1)
    # A picture taken in a dark room is drawn as if more light had come in; one with any white in it stays.
    exposure = np.clip(0.72 / max(float(np.percentile(blur(light, 4.0), 97)), 0.05), 1.0, 1.6)
    return np.asarray(np.minimum(light * np.float32(exposure), 1), np.float32)


def _tone(light: Floats, parts: Parts, unit: float) -> Floats:
    """(S, S) 0..1: smooth shading; logarithmic, so that dark skin keeps its modelling and never turns black."""
    even = cv2.ximgproc.guidedFilter(light, light, max(2, round(5 * unit)), 0.004)
    dark = 1 - np.log1p(3.0 * even) * np.float32(1 / np.log(4.0))
    wide = blur(dark, 16.0 * unit)
    wide += parts.skin * (mean_within(dark, parts.skin, 16.0 * unit) - wide)  # dark hair beside it must not bleach skin
    dark = dark + (0.5 + 0.4 * parts.skin) * (dark - wide)
    dark = np.maximum(dark - 0.045 + 0.07 * parts.lips + 0.1 * parts.nostrils, 0) * np.float32(1.05)
    modelled = np.asarray(0.92 * np.tanh(dark / 0.92), np.float32)
    return 0.45 * modelled + 0.55 * np.maximum(0.955 - even, 0)  # the form stays the sitter's


def _strokes(light: Floats, room: Floats, streams: Streamlines, parts: Parts, unit: float) -> Floats:
    """(S, S), darker and lighter: fine detail combed along the flow; strong in hair, faint on skin and cloth."""
    detail = blur(light, 0.9 * unit) - blur(light, 3.2 * unit)  # nothing finer: it would tremble, and cloth would crawl
    combed = streams.smooth(detail, 4.5 * unit) / room
    hairy = np.clip(parts.hair + parts.brows + 0.5 * parts.eyes, 0, 1)
    most = (0.08 + 0.17 * hairy) * (1 - 0.4 * np.maximum(parts.face, parts.skin) * (1 - parts.hair))
    return np.asarray(-most * np.tanh(combed * (0.7 + 1.3 * hairy) / 0.16), np.float32)


def _contours(light: Floats, room: Floats, streams: Streamlines, parts: Parts, unit: float) -> Floats:
    """(S, S) 0..1: lines, dark on eyes, brows, nose and lips, light on wrinkles."""
    combed = streams.smooth(dark_lines(light, 1.3 * unit), 4.0 * unit) / room
    features = np.clip(parts.eyes + 0.7 * parts.brows + parts.nostrils + parts.lips + parts.mouth_opening, 0, 1)
    features = np.maximum(features, blur(features, 3.0 * unit))
    most = 0.58 + 0.34 * features - 0.26 * parts.skin * (1 - features)
    dark = np.clip(parts.eyes + parts.nostrils, 0, 1)
    most *= 1 - 0.58 * np.maximum(parts.face, parts.skin) * (1 - 0.7 * dark)  # bolder ones change who it is
    return np.asarray(most * rise(combed, 0.01, 0.085), np.float32)


def _hatching(drawn: Floats, smooth: Floats, unit: float) -> Floats:
    """(S, S), darker and lighter: parallel strokes that bend with the form; crossed only in the darkest parts.

    Their place is fixed to the region's grid, so they keep still on a face.
    """
    side_px = drawn.shape[0]
    y, x = np.mgrid[0:side_px, 0:side_px].astype(np.float32) + 0.5
    turn = np.float32(2 * np.pi / (HATCH_PERIOD_PX * side_px / 512))
    form = blur(smooth, 5.0 * unit) * np.float32(2 * np.pi * 1.6)
    first = np.cos(turn * (x + y) + form) * rise(drawn, 0.10, 0.45)
    crossed = np.cos(turn * (2 * x - y) - form) * rise(drawn, 0.5, 0.8)
    return np.asarray(0.06 * first + 0.045 * crossed, np.float32)
