"""What a drawing of eyes, nose and mouth takes from the photo: colours, creases, and whether they are visible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.smooth_step import smooth_step
from engines.drawing.strokes import Points, curve
from engines.regions.eyes import LOWER_LIDS, UPPER_LIDS
from engines.regions.temporal_filter import TemporalFilter

Floats = NDArray[np.float32]

# MediaPipe face mesh, the person's right side first. Creases run from the outer to the inner corner.
# fmt: off
CREASES = ([247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414])
IRISES = ([468, 469, 470, 471, 472], [473, 474, 475, 476, 477])  # centre first
UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]  # its lower edge, and the upper edge of the lower lip
LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
BROWS = ([55, 65, 52, 53, 46, 70, 63, 105, 66, 107], [285, 295, 282, 283, 276, 300, 293, 334, 296, 336])
NOSTRILS = ([240, 79, 239, 20], [460, 309, 459, 250])  # from the wing to the middle
_CHEEKS = [50, 280, 205, 425, 117, 346, 187, 411, 151, 108, 337]
_SIDES = ([0, 2, 4, 6], [1, 3, 5, 7])  # of `_CHEEKS`
_NOSE = [1, 4, 5]
_WINGS = [2, 98, 327]
_LIPS = [0, 37, 267, 17, 84, 314]
_CHIN = [175, 171, 396, 140, 369]
# fmt: on
MOUTH_CORNERS = (61, 291)
_GREY_CHROMA = 5.0  # of skin: below it, a picture has no colours to compare
_IRIS_SPOTS = np.array([[0.55, 0.1], [-0.55, 0.1], [0.5, 0.4], [-0.5, 0.4], [0, 0.6]])  # without the catchlight
_ALIKE = 0.8  # how far the brows, and the irises, of one person are alike
_FAINT_BROW = 0.3  # even the palest brows are drawn
_INTERVAL_S = 0.08  # colours change slowly: they are not measured on every frame
_TAU_S = 0.25
_NEIGHBOURS = np.stack(np.meshgrid(*[np.linspace(-1, 1, 3)] * 2), -1).reshape(1, 9, 2)


@dataclass(frozen=True, slots=True, eq=False)
class FaceMeasures:
    """Measurements of one face; pairs are in the order of `IRISES`.

    Attributes:
        skin_lab: (3,) float32 CIE Lab, L 0..100: the typical colour of the skin.
        iris_lab: (2, 3) float32.
        crease: (2,) strength of the crease above each eye, 0..1.
        eye_visible: (2,) 0..1; 0 where something covers the eye.
        brow: (2,) how dark each brow is, 0..1.
        lips_lab: (3,) float32: the typical colour of the lips.
        chin: how bare the chin is, 0..1; 0 under a beard, a mask or a dark object.
        nostrils: how dark the nostrils are, 0..1; 0 where something covers the nose.
        lip_line: strength of the dark line between the lips, 0..1; 0 where something covers the mouth.
        teeth: how much the opening of the mouth shows teeth, 0..1.
        gap: how much it shows the dark inside of the mouth, 0..1.
        inside_lightness: its lightness without the brightest parts, L 0..100; small mouths are seen as a mixture.
    """

    skin_lab: Floats
    iris_lab: Floats
    crease: Floats
    eye_visible: Floats
    brow: Floats
    lips_lab: Floats
    chin: float
    nostrils: float
    lip_line: float
    teeth: float
    gap: float
    inside_lightness: float


def measure_face(
    frame_bgr: NDArray[np.uint8],
    landmarks_xy: Points,
    *,
    temporal_filter: TemporalFilter | None = None,
    at_s: float = 0.0,
) -> FaceMeasures:
    """Measure a face on the frame before anything is drawn.

    Args:
        frame_bgr: (H, W, 3) uint8.
        landmarks_xy: (478, 2) float pixels, face mesh order.
        temporal_filter: Of the same face; smooths the measurements. None for a single picture.
        at_s: Time of the frame in seconds.
    """
    values = None if temporal_filter is None else temporal_filter.recent("measures", _INTERVAL_S, at_s)
    if values is None:
        values = _measured(frame_bgr, landmarks_xy)
        if temporal_filter is not None:
            values = temporal_filter.smoothed("measures", values, _TAU_S, at_s)
    skin, irises, crease, visible, brow, lips, rest = np.split(values, [3, 9, 11, 13, 15, 18])
    return FaceMeasures(skin, irises.reshape(2, 3), crease, visible, brow, lips, *rest.tolist())


def _measured(frame_bgr: NDArray[np.uint8], points_xy: Points) -> Floats:
    xy = np.asarray(points_xy, np.float64)
    eye_px = [max(float(np.hypot(*(xy[lid[0]] - xy[lid[-1]]))), 1.0) for lid in UPPER_LIDS]
    unit_px = float(np.mean(eye_px))
    creases = [curve(xy[CREASES[side]], 15) for side in (0, 1)]
    lids = (xy[LOWER_LIDS[side][4]] - xy[CREASES[side][3]] for side in (0, 1))
    down = [lid / max(float(np.hypot(*lid)), 1e-3) for lid in lids]
    radii_px = [float(np.hypot(*(xy[iris[1:]] - xy[iris[0]]).T).mean()) for iris in IRISES]
    upper, lower = xy[UPPER_LIP][2:-2], xy[LOWER_LIP][2:-2]
    places: list[tuple[Points, float]] = [
        (xy[_CHEEKS], 0.2 * unit_px),
        *((xy[IRISES[side][0]] + radii_px[side] * _IRIS_SPOTS, 0.1 * radii_px[side]) for side in (0, 1)),
        *((creases[side] - 0.1 * eye_px[side] * down[side], 0.02 * unit_px) for side in (0, 1)),
        *((creases[side], 0.02 * unit_px) for side in (0, 1)),
        *((xy[LOWER_LIDS[side][2:7]] + 0.35 * eye_px[side] * down[side], 0.05 * unit_px) for side in (0, 1)),
        *(((xy[BROWS[side][:5]] + xy[BROWS[side][:4:-1]]) / 2, 0.04 * unit_px) for side in (0, 1)),
        (xy[[*NOSTRILS[0], *NOSTRILS[1]]], 0.02 * unit_px),
        (xy[_NOSE], 0.1 * unit_px),
        (xy[_WINGS], 0.05 * unit_px),
        (xy[_CHIN], 0.05 * unit_px),
        (xy[_LIPS], 0.05 * unit_px),
        ((upper + lower) / 2, 0.03 * unit_px),
        *((upper + part * (lower - upper), 0.03 * unit_px) for part in (0.3, 0.5, 0.7)),
    ]
    sampled = _sampled(frame_bgr, places)
    skin, irises, above, crease, below, brows, (nostrils, nose, wings, chin, lips, middle) = (
        sampled[0], sampled[1:3], sampled[3:5], sampled[5:7], sampled[7:9], sampled[9:11], sampled[11:17]
    )  # fmt: skip
    skin_lab = skin[np.argsort(skin[:, 0])[2:-2]].mean(0)
    level = max(float(skin_lab[0]), 1.0)
    iris_lab = [_iris_lab(iris) for iris in irises]
    dark = [smooth_step(level - float(iris[0]), 0.05 * level, 0.2 * level) for iris in iris_lab]
    cheeks = [np.median(skin[side], 0) for side in _SIDES]  # light of another colour may come from one side
    uncovered = _uncovered_eyes(above, below, cheeks)
    visible = [dark[side] * uncovered[side] for side in (0, 1)]
    if min(visible) > 0:  # light from the side, rather than the iris, makes them differ
        iris_lab = [(1 - _ALIKE) * iris + _ALIKE * (iris_lab[0] + iris_lab[1]) / 2 for iris in iris_lab]
    creased = [smooth_step(float((above[side] - crease[side])[:, 0].mean()), 0.0, 8.0) for side in (0, 1)]
    brow = [smooth_step(1 - float(one[:, 0].mean()) / level, 0.05, 0.5) for one in brows]
    bare_chin = _likeness(chin, skin_lab) * _bareness(chin, skin_lab)
    bare_chin *= 1 - smooth_step(1 - float(chin[:, 0].mean()) / level, 0.3, 0.6)  # a beard is dark
    darkest = np.mean([nostrils[:4, 0].min(), nostrils[4:, 0].min()])
    dark_nostrils = max(0.5 * _likeness(nose, skin_lab), smooth_step(1 - float(darkest) / level, 0.08, 0.3))
    dark_nostrils *= _bareness(wings, skin_lab) * smooth_step(float(wings[:, 0].max()) / level, 0.1, 0.25)
    line = smooth_step(float(lips[:, 0].mean() - middle[:, 0].mean()), -3.0, 4.0)
    lips_lab = np.median(lips, 0)
    teeth, gap, inside = _inside_mouth(np.stack(sampled[17:]), skin_lab, lips_lab)
    seen = _bareness(lips, skin_lab)
    mouth = seen * line, seen * teeth, seen * gap, inside
    pairs = np.concatenate(
        (creased, visible, [max(brow[side], max(_ALIKE * max(brow), _FAINT_BROW) * visible[side]) for side in (0, 1)])
    )
    return np.concatenate((skin_lab, *iris_lab, pairs, lips_lab, [bare_chin, dark_nostrils], mouth)).astype(np.float32)


def _inside_mouth(samples: Floats, skin_lab: Floats, lips_lab: Floats) -> tuple[float, float, float]:
    """Return how much the opening shows teeth, how much it is dark, and its lightness.

    Teeth are bright, and either paler than the skin or lighter and less red than the lips: dim pictures and small faces
    mix the colours.
    """
    skin = float(skin_lab[0])
    chroma = np.hypot(samples[..., 1], samples[..., 2]) / max(float(np.hypot(*skin_lab[1:])), 4.0)
    pale = ((1.0 - chroma) / 0.3).clip(0, 1)
    lighter = ((samples[..., 0] - lips_lab[0]) / max(0.08 * skin, 1.0)).clip(0, 1)
    less_red = ((1.0 - samples[..., 1] / max(float(lips_lab[1]), 4.0)) / 0.2).clip(0, 1)
    less_red *= smooth_step(float(lips_lab[1]), 0.0, 2.0)  # in green light lips are not red
    bright = ((samples[..., 0] - 0.45 * skin - 8) / (0.2 * skin + 4)).clip(0, 1) * np.maximum(pale, lighter * less_red)
    dark = smooth_step(skin - float(samples[..., 0].min()), 0.2 * skin, 0.45 * skin)
    return float(np.sort(bright.ravel())[-6:].mean()), dark, float(np.percentile(samples[..., 0], 30))


def _likeness(samples: Floats, skin_lab: Floats) -> float:
    """Return how much a part of the face has the skin's colour, whatever the light, 0..1."""
    return 1 - smooth_step(float(np.hypot(*(samples.mean(0) - skin_lab)[1:])), 10.0, 20.0)


def _uncovered_eyes(above: Sequence[Floats], below: Sequence[Floats], cheeks: Sequence[Floats]) -> tuple[float, float]:
    """Return whether skin is seen around each eye, 0..1: neither is it around dark glasses, nor around mirrored ones.

    Args:
        above: Samples over each eye, (N, 3) CIE Lab.
        below: Samples under each eye.
        cheeks: The skin beside it, (3,): light of another colour may come from one side.
    """
    light, tone = list[float](), list[float]()
    for upper, lower, skin in zip(above, below, cheeks, strict=True):
        light.append(max(float(np.median(upper[:, 0])), float(lower[:, 0].max())) / max(float(skin[0]), 1.0))
        tone.append(max(_tone(np.median(part, 0), skin) for part in (upper, lower)))
    both = min(smooth_step(max(light), 0.42, 0.52), smooth_step(max(tone), 0.12, 0.28))  # glasses are before both eyes
    right, left = (both * smooth_step(one, 0.2, 0.33) for one in light)
    return right, left


def _bareness(samples: Floats, skin_lab: Floats) -> float:
    """Return whether a part of the face has some of the skin's colour, 0..1: microphones and masks have none."""
    return smooth_step(max(_tone(one, skin_lab) for one in samples), 0.08, 0.2)


def _tone(colour_lab: Floats, skin_lab: Floats) -> float:
    """Return how much of the skin's colour, in its hue, another colour has; 1 or more in a picture without colours."""
    skin_ab = np.asarray(skin_lab[1:], np.float64)
    chroma = float(np.hypot(*skin_ab))
    grey = 1 - smooth_step(chroma, 0.5 * _GREY_CHROMA, _GREY_CHROMA)
    return max(grey, float(colour_lab[1:] @ skin_ab) / max(chroma, 1.0) ** 2)


def _iris_lab(samples: Floats) -> Floats:
    """Return the colour of an iris; that of a dark one is lost in the photo and taken as brown."""
    lightness, red, yellow = samples[np.argsort(samples[:, 0])[:4]].mean(0).tolist()
    brown = 1 - smooth_step(lightness, 16.0, 34.0)
    return np.array([lightness, red + brown * (max(red, 7) - red), yellow + brown * (max(yellow, 11) - yellow)])


def _sampled(frame_bgr: NDArray[np.uint8], places: Sequence[tuple[Points, float]]) -> list[Floats]:
    """Return the mean colours around points (N, 2), (N, 3) float32 CIE Lab, for each place.

    A place is points and half the side of the square around each, in pixels; the frame's border is repeated.
    """
    ends = np.cumsum([len(points) for points, _ in places])[:-1]
    half_px = np.repeat([half for _, half in places], [len(points) for points, _ in places])
    at = np.concatenate([points for points, _ in places])[:, None] + _NEIGHBOURS * half_px[:, None, None]
    height, width = frame_bgr.shape[:2]
    x, y = (at[..., axis].clip(0, size - 1).astype(int) for axis, size in ((0, width), (1, height)))
    mean = frame_bgr[y, x].mean(1, dtype=np.float32)[None] / np.float32(255)
    return np.split(np.asarray(cv2.cvtColor(mean, cv2.COLOR_BGR2LAB)[0], np.float32), ends)
