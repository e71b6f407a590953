"""Cel: flat tones with clean borders, ink lines, and eyes and mouth drawn as shapes from the landmarks.

The photo is first reduced to planes that change slowly, or have clean borders: the local colour, the shade in units of
one tone, and the ink (`find_planes`). The planes then become the drawing: the shade is divided into tones, and the
features are drawn as shapes. What distinguishes a person is kept: the form of the shades, the brows and the lines of
the face come from the photo, and the skin keeps its own hue and depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.aligned import AlignedRegion
from engines.training.data.picture_pairs import ImageU8
from engines.training.teachers.face_parts import IRISES, Parts, find_parts
from engines.training.teachers.flow import Streamlines, dark_lines, ink, tangent_flow
from engines.training.teachers.pen import Pen, Points, curve
from engines.training.teachers.shading import Floats, abstracted, blend, blurred_within, flattened, rise

# MediaPipe face mesh, the person's right side first. Lids and creases run from the outer to the inner corner.
# fmt: off
_UPPER_LIDS = ([33, 246, 161, 160, 159, 158, 157, 173, 133], [263, 466, 388, 387, 386, 385, 384, 398, 362])
_LOWER_LIDS = ([33, 7, 163, 144, 145, 153, 154, 155, 133], [263, 249, 390, 373, 374, 380, 381, 382, 362])
_CREASES = ([247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414])
_UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]  # its lower edge, and the upper edge of the lower lip
_LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
# fmt: on
_MOUTH_CORNERS = (61, 291)
_TONE_EDGES = (-2.7, -1.0, 1.1)  # of the shade: deep shade, shade, base, light
_TONE_SOFT = 0.1
_SHADE_RGB = np.array([0.80, 0.735, 0.72], np.float32)  # factor of one tone darker: shade is warm
_LIGHT_RGB = np.array([1.10, 1.11, 1.12], np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Planes:
    """What a photo is reduced to.

    Attributes:
        colour: (S, S, 3) float32, CIE Lab: the colour without shade.
        shade: (S, S) float32: 0 is the typical light of a surface, negative is darker, in tones.
        ink: (S, S) float32, coverage 0..1.
    """

    colour: Floats
    shade: Floats
    ink: Floats


def cel(region: AlignedRegion) -> NDArray[np.uint8]:
    """Return the region as a cel drawing, (S, S, 3) RGB uint8."""
    parts = find_parts(region)
    lab = _lab(abstracted(np.asarray(region.rgb, np.uint8), times=3, colours=22.0, reach_px=4.0))
    planes = find_planes(region.rgb, lab, parts)
    pen = Pen(planes.colour, scale=2)
    pen.lab = _toned(pen.lab, pen.enlarged(planes.shade))
    pen.ink(0.9 * rise(pen.enlarged(planes.ink), 0.25, 0.75))
    _draw_outlines(pen, parts)
    for side in (0, 1):
        _draw_eye(pen, side, lab, region.landmarks_xy, parts.skin_lab)
    _draw_mouth(pen, region.landmarks_xy)
    side_px = region.rgb.shape[0]
    return np.asarray(cv2.resize(_rgb(pen.lab), (side_px, side_px), interpolation=cv2.INTER_AREA), np.uint8)


def find_planes(rgb: ImageU8, lab: Floats, parts: Parts) -> Planes:
    """Reduce a photo to planes.

    Args:
        rgb: (S, S, 3) uint8.
        lab: (S, S, 3) float32, CIE Lab: the photo without texture.
        parts: masks of the same photo.
    """
    flow = Streamlines(tangent_flow(lab, 3.0), length_px=24.0)
    colour, shade = _surroundings(rgb, parts)
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
    return Planes(colour, shade, _lines(lab[..., 0], flow, parts))


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


def _toned(colour: Floats, shade: Floats) -> Floats:
    """Return colours, CIE Lab, in the tones of a shade: base, light, and two that are darker."""
    deep, dark, light = (rise(shade, edge - _TONE_SOFT, edge + _TONE_SOFT) for edge in _TONE_EDGES)
    factor = _SHADE_RGB ** (2 - deep - dark)[..., None] * _LIGHT_RGB ** light[..., None]
    rgb = np.asarray(cv2.cvtColor(colour, cv2.COLOR_LAB2RGB), np.float32)
    return np.asarray(cv2.cvtColor((rgb * factor).clip(0, 1), cv2.COLOR_RGB2LAB), np.float32)


def _draw_outlines(pen: Pen, parts: Parts) -> None:
    """Draw the outline of the person, and of the hair where it lies on the skin."""
    person = rise(parts.person, 0.3, 0.7)
    width_px = 0.018 * parts.face_px
    pen.ink(0.92 * _outline(pen, person, width_px, parts.face_px), 0.2)
    on_skin = pen.enlarged(np.maximum(parts.face, parts.skin)).clip(0, 1)
    pen.ink(0.85 * _outline(pen, parts.hair * person, 0.75 * width_px, parts.face_px) * on_skin, 0.2)


def _outline(pen: Pen, mask: Floats, width_px: float, face_px: float) -> Floats:
    """Return a line along the border of a mask: the distance to the border is the mask's level over its slope."""
    scale = pen.lab.shape[0] / mask.shape[0]
    smooth = cv2.GaussianBlur(pen.enlarged(mask), (0, 0), 0.010 * face_px * scale)
    slope = np.hypot(*(cv2.Sobel(smooth, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1))))
    distance = np.abs(smooth - 0.5) / (slope + 1e-4)
    half = width_px * scale / 2
    return (1 - rise(distance, half - 0.7, half + 0.7)) * rise(slope, 0.003, 0.010)


def _draw_eye(pen: Pen, side: int, lab: Floats, points_xy: Points, skin_lab: Floats) -> None:
    """Draw one eye: white, iris in its own colour, lashes, and a crease as strong as the photo's."""
    upper, lower = (curve(points_xy[lid[side]], 40) for lid in (_UPPER_LIDS, _LOWER_LIDS))
    width_px = max(float(np.hypot(*(upper[0] - upper[-1]))), 1.0)
    opening_px = float(np.hypot(*(points_xy[_UPPER_LIDS[side][4]] - points_xy[_LOWER_LIDS[side][4]])))
    opened = _part(opening_px / width_px, 0.10, 0.20)
    outwards = (upper[0] - upper[-1]) / width_px
    down = np.array([-outwards[1], outwards[0]]) * np.sign(outwards[0] or 1.0)
    ball = pen.shape(np.concatenate((upper, lower[::-1]))) * opened
    white = min(max(float(skin_lab[0]) + 26, 62.0), 94.0)
    pen.fill(ball, (white, 1.5, 4.0))
    lid_shade = pen.shape(np.concatenate((upper, (upper + down * 0.22 * opening_px)[::-1])), blur_px=0.6)
    pen.fill(0.55 * ball * lid_shade, (white - 22, 3.0, 2.0))
    _draw_iris(pen, ball, lab, points_xy[IRISES[side]], down)
    lashes = curve(np.concatenate((upper[:1] + (0.05 * outwards - 0.015 * down) * width_px, upper[3::5])), 10)
    pen.fill(0.95 * pen.stroke(lashes, 0.075 * width_px, (0.55, 0.35)), (min(12.0, 0.2 * float(skin_lab[0])), 2, 2))
    pen.ink(0.6 * pen.stroke(lower[4:-4:6], 0.028 * width_px, (0.5, 0.2)), 0.35)
    crease = curve(points_xy[_CREASES[side]], 29)
    depth = float(np.mean(_at(lab, crease - 0.1 * width_px * down)[:, 0] - _at(lab, crease)[:, 0]))
    pen.ink(0.7 * _part(depth, 0.0, 8.0) * pen.stroke(crease[::5], 0.028 * width_px, (0.2, 0.2)), 0.4)


def _draw_iris(pen: Pen, ball: Floats, lab: Floats, iris_xy: Points, down: Points) -> None:
    centre, radius_px = iris_xy[0], 1.04 * float(np.hypot(*(iris_xy[1:] - iris_xy[0]).T).mean())
    samples = _at(lab, centre + radius_px * np.array([[0.55, 0.1], [-0.55, 0.1], [0.5, 0.4], [-0.5, 0.4], [0, 0.6]]))
    lightness, red, yellow = samples[np.argsort(samples[:, 0])[:4]].mean(0).tolist()  # without the catchlight
    brown = 1 - _part(lightness, 16.0, 34.0)  # the colour of a dark iris is lost in the photo
    red, yellow = red + brown * (max(red, 7) - red), yellow + brown * (max(yellow, 11) - yellow)
    chroma = _richer(np.array([[red, yellow]], np.float32), 1.5)[0]
    own = np.array([np.clip(0.9 * lightness + 6, 14, 58), *chroma], np.float32)
    inner = pen.disc(centre, 0.84 * radius_px) * ball
    pen.fill(pen.disc(centre, radius_px) * ball, own * np.array([0.45, 0.9, 0.9], np.float32))
    pen.fill(pen.disc(centre, 0.86 * radius_px) * ball, own)
    pen.fill(
        0.7 * pen.disc(centre + 0.32 * radius_px * down, 0.55 * radius_px) * inner,
        own + np.array([14, 0, 4], np.float32),
    )
    pen.fill(pen.disc(centre, 0.42 * radius_px) * ball, (6, 0, 0))
    catchlight = centre - radius_px * (0.34 * down + (0.28, 0.0))
    pen.fill(pen.disc(catchlight, 0.24 * radius_px) * ball, (98, 0, 0))


def _draw_mouth(pen: Pen, points_xy: Points) -> None:
    """Draw the line between closed lips, or the edges of an open mouth."""
    left, right = points_xy[list(_MOUTH_CORNERS)]
    width_px = max(float(np.hypot(*(left - right))), 1.0)
    opening = float(np.hypot(*(points_xy[13] - points_xy[14]))) / width_px
    opened = _part(opening, 0.02, 0.07)
    middle = (points_xy[_UPPER_LIP] + points_xy[_LOWER_LIP]) / 2
    line = np.concatenate((left[None], middle[1:-1:2], right[None]))
    pen.ink((1 - opened) * pen.stroke(line, 0.026 * width_px, (0.3, 0.3)), 0.2)
    for lip in (_UPPER_LIP, _LOWER_LIP):
        pen.ink(0.85 * opened * pen.stroke(points_xy[lip][::2], 0.02 * width_px, (0.3, 0.3)), 0.2)


def _at(lab: Floats, points_xy: Points) -> Floats:
    """Return the colours at points (N, 2), (N, 3)."""
    x, y = np.asarray(points_xy).clip(0, lab.shape[0] - 1).astype(int).T
    return np.asarray(lab[y, x], np.float32)


def _part(value: float, start: float, end: float) -> float:
    """Return the smoothstep of a number: 0 below `start`, 1 above `end`."""
    return float(rise(np.array([value], np.float32), start, end)[0])


def _richer(chroma: Floats, times: float) -> Floats:
    """Return a and b with higher saturation; saturated colours change less."""
    size = np.sqrt((chroma**2).sum(-1, keepdims=True))
    return np.asarray(chroma * (1 + (times - 1) / (1 + (size / 45) ** 2)), np.float32)


def _lab(rgb: ImageU8) -> Floats:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def _rgb(lab: Floats) -> ImageU8:
    rgb = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.float32)
    return np.asarray(np.rint(rgb.clip(0, 1) * 255), np.uint8)
