"""Cel: the planes of a drawing in flat tones with clean borders and ink lines.

The photo is reduced to planes that change slowly, or have clean borders: the local colour, the shade in units of one
tone, the ink, and the hair. `engines.drawing` makes a drawing of them: it divides the shade into tones, and draws
outlines, eyes and mouth. What distinguishes a person is kept: the form of the shades, the brows and the lines of the
face come from the photo, and the skin keeps its own hue and depth.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.plane_set import SHADE_RANGE
from engines.drawing.smooth_step import rise
from engines.training.data.aligned import AlignedRegion
from engines.training.data.picture_pairs import ImageU8
from engines.training.teachers.face_parts import Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, ink, tangent_flow
from engines.training.teachers.shading import Floats, abstracted, blend, blurred_within, flattened


def cel(region: AlignedRegion) -> NDArray[np.uint8]:
    """Return the planes of a region as two pictures, one below the other, (2 S, S, 3) RGB uint8.

    The upper one is the colour, the lower one holds shade, ink and hair (`engines.drawing.plane_set.Planes.fields`).
    """
    parts = find_parts(region)
    lab = _lab(abstracted(np.asarray(region.rgb, np.uint8), times=3, colours=22.0, reach_px=4.0))
    flow = Streamlines(tangent_flow(lab, 3.0), length_px=24.0)
    colour, shade = _surroundings(region.rgb, parts)
    features = np.maximum.reduce((parts.eyes, parts.brows, parts.lips, parts.mouth_opening))
    brows = 0.85 * parts.brows * rise(parts.skin_lab[0] - lab[..., 0], 2.0, 10.0)
    for part_colour, part_shade, mask in (
        (*_hair(lab, flow, parts), parts.hair * (1 - rise(parts.skin, 0.4, 0.7))),
        (*_skin(lab, flow, parts, parts.skin * (1 - features)), rise(parts.skin, 0.25, 0.75)),
        (flow.smooth(lab, 6.0) * np.array([0.85, 1, 1], np.float32), np.zeros_like(shade), brows),
        (*_lips(lab, parts), rise(parts.lips, 0.3, 0.7)),
        (_open_mouth(lab), np.zeros_like(shade), rise(parts.mouth_opening, 0.4, 0.8)),
    ):
        colour, shade = blend(colour, part_colour, mask), blend(shade, part_shade, mask)
    low, high = SHADE_RANGE
    fields = (shade - low) / (high - low), _lines(lab[..., 0], flow, parts), parts.hair * parts.person
    rgb = np.concatenate((cv2.cvtColor(colour, cv2.COLOR_LAB2RGB), cv2.merge(fields)))
    return np.asarray(np.rint(rgb.clip(0, 1) * 255), np.uint8)


def _skin(lab: Floats, flow: Streamlines, parts: Parts, mask: Floats) -> tuple[Floats, Floats]:
    """Return colour and shade of the skin: the person's own colour, and smooth light in steps that suit its depth."""
    own, unit_px = parts.skin_lab, parts.face_px
    wide = blurred_within(lab, np.maximum(mask, 1e-3), 0.022 * unit_px)
    shade = flow.smooth(np.asarray((wide[..., 0] - own[0]) / (0.16 * own[0] + 4), np.float32), 5.0)
    shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.010 * unit_px), np.float32)
    colour = np.empty_like(lab)
    colour[..., 0] = own[0] + 2
    colour[..., 1:] = _richer(0.5 * wide[..., 1:] + 0.5 * own[1:], 1.3)
    return colour, np.where(shade < 0, shade / np.float32(0.85), shade)


def _hair(lab: Floats, flow: Streamlines, parts: Parts) -> tuple[Floats, Floats]:
    """Return colour and shade of the hair: tones that follow the strands."""
    mask = np.maximum(parts.hair * (1 - parts.skin), np.float32(1e-3))
    strands = flow.smooth(lab, 8.0)
    unlike_skin = np.sqrt((((strands - parts.skin_lab) / np.array([30, 10, 10], np.float32)) ** 2).sum(-1))
    mask = mask**2 * (0.02 + rise(unlike_skin, 0.6, 1.4))  # the borders of thin grey hair have colours of skin
    typical = blurred_within(strands, mask, 0.45 * parts.face_px)
    local = blurred_within(strands, mask, 0.06 * parts.face_px)
    light = flow.smooth(np.asarray(cv2.GaussianBlur(strands[..., 0], (0, 0), 1.5), np.float32), 8.0)
    colour = typical.copy()
    colour[..., 1:] = _richer(0.6 * typical[..., 1:] + 0.4 * local[..., 1:], 1.3)
    return colour, (light - typical[..., 0]) / (4 + 0.1 * typical[..., 0])


def _lips(lab: Floats, parts: Parts) -> tuple[Floats, Floats]:
    colour = blurred_within(lab, np.maximum(parts.lips, np.float32(1e-3)), 0.05 * parts.face_px)
    shade = np.asarray((cv2.GaussianBlur(lab[..., 0], (0, 0), 1.2) - colour[..., 0]) / 5.6, np.float32)
    colour[..., 1:] = _richer(colour[..., 1:], 1.35)
    return colour, shade


def _open_mouth(lab: Floats) -> Floats:
    """Return dark gap, tongue and teeth, CIE Lab."""
    colour = lab.copy()
    colour[..., 0] = 14 + 28 * rise(lab[..., 0], 23.0, 33.0) + 48 * rise(lab[..., 0], 47.0, 57.0)
    colour[..., 1:] *= 1 - 0.65 * rise(colour[..., :1], 50.0, 70.0)  # white teeth
    return colour


def _surroundings(rgb: ImageU8, parts: Parts) -> tuple[Floats, Floats]:
    """Return colour and shade of clothes, beard and background: few flat areas, finer in the face."""
    half = np.asarray(cv2.resize(rgb, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    calm = abstracted(half, times=6, colours=26.0, reach_px=4.0)
    calmer = abstracted(half, times=8, colours=40.0, reach_px=6.0)
    flat, fine, wide = (
        cv2.resize(flattened(_lab(picture), picture, strength=strength, colours=colours), rgb.shape[1::-1],
                   interpolation=cv2.INTER_CUBIC)
        for picture, strength, colours in ((calm, 60.0, 6.0), (calm, 160.0, 6.0), (calmer, 900.0, 9.0))
    )  # fmt: skip
    colour = blend(np.asarray(wide, np.float32), np.asarray(fine, np.float32), cv2.dilate(parts.face, np.ones((9, 9))))  # type: ignore[arg-type]
    shade = np.asarray((flat[..., 0] - colour[..., 0]) / (4 + 0.09 * colour[..., 0]), np.float32)
    colour[..., 1:] = _richer(colour[..., 1:], 1.35)
    return colour, shade


def _lines(lightness: Floats, flow: Streamlines, parts: Parts) -> Floats:
    """Return the lines of the face, of hair and clothes, (S, S) 0..1: fewer where the face is smooth."""
    response = flow.smooth(np.dstack([dark_lines(lightness, sigma_px) for sigma_px in (1.6, 2.6, 4.0)]), 8.0)
    # Contrast relative to the local lightness gives the same drawing in dim light.
    response *= (62 / (cv2.GaussianBlur(lightness, (0, 0), 12.0) + 22)).clip(0.7, 2.0)[..., None]
    mouth = np.maximum(parts.lips, parts.mouth_opening)
    threshold = np.full(lightness.shape, 4.2, np.float32)
    for value, mask in (
        (2.6, parts.brows),
        (2.4, 0.9 * parts.nose),
        (1.6, parts.nostrils),
        (2.2, parts.hair),
        (2.0, 0.8 * parts.jaw),
        (9.0, rise(parts.eyes, 0.3, 0.8)),  # eyes and mouth are drawn as shapes
        (9.0, 0.8 * rise(parts.mouth_opening, 0.3, 0.8)),
    ):
        threshold += (value - threshold) * mask
    threshold += 5 * cv2.GaussianBlur(mouth, (0, 0), 0.06 * parts.face_px) * (1 - mouth)  # the shade around lips
    thin = 0.8 * ink(response[..., 0], 1.1 * threshold, 0.3 * threshold)
    wide = 0.9 * ink(response[..., 2], 2.6, 0.8) * np.maximum(parts.jaw, 0.8 * parts.nose) * (1 - parts.lips)
    coverage = np.maximum.reduce((thin, ink(response[..., 1], threshold, 0.25 * threshold), wide))
    return rise(0.75 * coverage, 0.2, 0.65)


def _richer(chroma: Floats, times: float) -> Floats:
    """Return a and b with higher saturation; saturated colours change less."""
    size = np.sqrt((chroma**2).sum(-1, keepdims=True))
    return np.asarray(chroma * (1 + (times - 1) / (1 + (size / 45) ** 2)), np.float32)


def _lab(rgb: ImageU8) -> Floats:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
