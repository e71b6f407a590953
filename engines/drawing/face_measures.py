"""What a drawing of the eyes and the mouth takes from the photo: colours, creases, and whether they are visible."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.smooth_step import smooth_step
from engines.drawing.strokes import Points, curve
from engines.regions.temporal_filter import TemporalFilter

Floats = NDArray[np.float32]

# MediaPipe face mesh, the person's right side first. Lids and creases run from the outer to the inner corner.
# fmt: off
UPPER_LIDS = ([33, 246, 161, 160, 159, 158, 157, 173, 133], [263, 466, 388, 387, 386, 385, 384, 398, 362])
LOWER_LIDS = ([33, 7, 163, 144, 145, 153, 154, 155, 133], [263, 249, 390, 373, 374, 380, 381, 382, 362])
CREASES = ([247, 30, 29, 27, 28, 56, 190], [467, 260, 259, 257, 258, 286, 414])
IRISES = ([468, 469, 470, 471, 472], [473, 474, 475, 476, 477])  # centre first
UPPER_LIP = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308]  # its lower edge, and the upper edge of the lower lip
LOWER_LIP = [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308]
_CHEEKS = [50, 280, 205, 425, 117, 346, 187, 411, 151, 108, 337]
_LIPS = [0, 37, 267, 17, 84, 314]
# fmt: on
MOUTH_CORNERS = (61, 291)
_IRIS_SPOTS = np.array([[0.55, 0.1], [-0.55, 0.1], [0.5, 0.4], [-0.5, 0.4], [0, 0.6]])  # without the catchlight
_INTERVAL_S = 0.04  # colours change slowly: they are not measured on every frame
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
        lip_line: strength of the dark line between the lips, 0..1; 0 where something covers the mouth.
        teeth: how much the opening of the mouth shows teeth, 0..1.
        gap: how much it shows the dark inside of the mouth, 0..1.
        inside_lightness: its lightness without the brightest parts, L 0..100; small mouths are seen as a mixture.
    """

    skin_lab: Floats
    iris_lab: Floats
    crease: Floats
    eye_visible: Floats
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
    return FaceMeasures(values[:3], values[3:9].reshape(2, 3), values[9:11], values[11:13], *values[13:].tolist())


def _measured(frame_bgr: NDArray[np.uint8], points_xy: Points) -> Floats:
    eye_px = [max(float(np.hypot(*(points_xy[lid[0]] - points_xy[lid[-1]]))), 1.0) for lid in UPPER_LIDS]
    unit_px = float(np.mean(eye_px))
    skin = _sampled(frame_bgr, points_xy[_CHEEKS], 0.2 * unit_px)
    skin_lab = skin[np.argsort(skin[:, 0])[2:-2]].mean(0)
    values = [skin_lab, *(_iris_lab(frame_bgr, points_xy, side) for side in (0, 1))]
    dark = [skin_lab[0] - iris[0] for iris in values[1:]]
    crease = []
    for side in (0, 1):
        inwards = (points_xy[LOWER_LIDS[side][4]] - points_xy[CREASES[side][3]]).astype(np.float64)
        down = inwards / max(float(np.hypot(*inwards)), 1e-3)
        line = curve(points_xy[CREASES[side]], 15)
        above = _sampled(frame_bgr, line - 0.1 * eye_px[side] * down, 0.02 * unit_px)
        crease.append(smooth_step(float((above - _sampled(frame_bgr, line, 0.02 * unit_px))[:, 0].mean()), 0.0, 8.0))
    visible = [smooth_step(float(off), 0.05 * float(skin_lab[0]), 0.2 * float(skin_lab[0])) for off in dark]
    middle = (points_xy[UPPER_LIP] + points_xy[LOWER_LIP])[2:-2] / 2
    around = _sampled(frame_bgr, points_xy[_LIPS], 0.05 * unit_px)[:, 0].mean()
    line_depth = float(around - _sampled(frame_bgr, middle, 0.03 * unit_px)[:, 0].mean())
    mouth = smooth_step(line_depth, -3.0, 4.0), *_inside_mouth(frame_bgr, points_xy, skin_lab, 0.03 * unit_px)
    return np.concatenate((*values, crease, visible, mouth)).astype(np.float32)


def _inside_mouth(
    frame_bgr: NDArray[np.uint8], points_xy: Points, skin_lab: Floats, half_px: float
) -> tuple[float, float, float]:
    """Return how much the opening shows teeth (bright, paler than skin), how much it is dark, and its lightness."""
    upper, lower = (points_xy[lip][2:-2].astype(np.float64) for lip in (UPPER_LIP, LOWER_LIP))
    samples = np.stack([_sampled(frame_bgr, upper + part * (lower - upper), half_px) for part in (0.3, 0.5, 0.7)])
    skin = float(skin_lab[0])
    chroma = np.hypot(samples[..., 1], samples[..., 2]) / max(float(np.hypot(*skin_lab[1:])), 4.0)
    bright = ((samples[..., 0] - 0.45 * skin - 8) / (0.2 * skin + 4)).clip(0, 1) * ((1.0 - chroma) / 0.3).clip(0, 1)
    dark = smooth_step(skin - float(samples[..., 0].min()), 0.2 * skin, 0.45 * skin)
    return float(np.sort(bright.ravel())[-6:].mean()), dark, float(np.percentile(samples[..., 0], 30))


def _iris_lab(frame_bgr: NDArray[np.uint8], points_xy: Points, side: int) -> Floats:
    """Return the colour of an iris; that of a dark one is lost in the photo and taken as brown."""
    iris_xy = points_xy[IRISES[side]].astype(np.float64)
    radius_px = float(np.hypot(*(iris_xy[1:] - iris_xy[0]).T).mean())
    samples = _sampled(frame_bgr, iris_xy[0] + radius_px * _IRIS_SPOTS, 0.1 * radius_px)
    lightness, red, yellow = samples[np.argsort(samples[:, 0])[:4]].mean(0).tolist()
    brown = 1 - smooth_step(lightness, 16.0, 34.0)
    return np.array([lightness, red + brown * (max(red, 7) - red), yellow + brown * (max(yellow, 11) - yellow)])


def _sampled(frame_bgr: NDArray[np.uint8], points_xy: Points, half_px: float) -> Floats:
    """Return the mean colours around points (N, 2), (N, 3) float32 CIE Lab; the frame's border is repeated."""
    at = np.asarray(points_xy, np.float64)[:, None] + _NEIGHBOURS * half_px
    height, width = frame_bgr.shape[:2]
    x, y = (at[..., axis].clip(0, size - 1).astype(int) for axis, size in ((0, width), (1, height)))
    mean = frame_bgr[y, x].mean(1, dtype=np.float32)[None] / np.float32(255)
    return np.asarray(cv2.cvtColor(mean, cv2.COLOR_BGR2LAB)[0], np.float32)
