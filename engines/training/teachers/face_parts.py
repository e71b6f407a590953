"""Soft masks of a face's parts, from its landmarks, its colours, and the person's outline.

The geometric parts (eyes, brows, lips, nose, jaw) follow the landmarks. Skin and hair also follow the colours: skin
resembles the cheeks and forehead, hair resembles the crown; glasses and beards are neither. All masks change smoothly
with the picture, so that a drawing made with them does not flicker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS
from engines.regions.upright import FACE_OVAL
from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.shading import Floats

# MediaPipe face mesh, the person's right side first; closed rings in order.
# fmt: off
EYE_RIMS = (
    np.array([33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]),
    np.array([263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]),
)
BROWS = (
    np.array([70, 63, 105, 66, 107, 55, 65, 52, 53, 46]),
    np.array([300, 293, 334, 296, 336, 285, 295, 282, 283, 276]),
)
NOSE = np.array([168, 122, 174, 198, 49, 48, 64, 98, 97, 2, 326, 327, 294, 278, 279, 420, 399, 351])
NOSTRILS = (np.array([79, 166, 60, 20, 238]), np.array([309, 392, 290, 250, 458]))
IRISES = (np.array([468, 469, 470, 471, 472]), np.array([473, 474, 475, 476, 477]))  # centre first
# fmt: on
JAW = FACE_OVAL[9:28]  # from ear to ear around the chin
_CHEEKS = np.array([50, 280, 205, 425, 117, 346, 187, 411, 151, 108, 337])
_SPOT, _TOLERANCE = 0.22, 2.2  # of areas that count as skin: diameter in sizes of the face; how much more they differ
_RIM = 0.1  # in sizes of the face: what is thinner is a line
_WORK_PX = 256  # soft masks lose nothing at half the size


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Soft masks of one region, each (S, S) float32 0..1; zero if the part is not in the picture.

    Attributes:
        skin: Skin by colour, also ears and neck, without eyes, brows, lips, nostrils, glasses and beard.
        eyes: Between the lids, with the lash line.
        irises: The visible iris discs.
        mouth_opening: Between the inner contours of the lips.
        jaw: A band along the jaw line, from ear to ear.
        hair: Hair by colour and position; also the crown of a hat.
        skin_lab: (3,) float32, typical colour of the skin, CIE Lab, L 0..100.
        face_px: Size of the face: square root of the area of its oval, pixels of the region.
    """

    face: Floats
    skin: Floats
    eyes: Floats
    irises: Floats
    brows: Floats
    lips: Floats
    mouth_opening: Floats
    nose: Floats
    nostrils: Floats
    jaw: Floats
    hair: Floats
    person: Floats
    skin_lab: Floats
    face_px: float


def find_parts(region: AlignedRegion) -> Parts:
    """Return the masks of the parts of a region's face."""
    side_px = region.rgb.shape[0]
    small = cv2.resize(region.rgb, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    person = cv2.resize(region.person, (_WORK_PX, _WORK_PX), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    points_xy = region.landmarks_xy.astype(np.float32) * (_WORK_PX / side_px)
    unit_px = max(float(np.sqrt(cv2.contourArea(points_xy[FACE_OVAL]))), 8.0)
    masks = _shapes(points_xy, unit_px)
    calm = cv2.GaussianBlur(small, (0, 0), 0.012 * unit_px + 0.4)
    lab = np.asarray(cv2.cvtColor(calm, cv2.COLOR_RGB2LAB), np.float32)
    person = cv2.ximgproc.guidedFilter(small, person, max(2, round(0.03 * unit_px)), 2e-4).clip(0, 1)
    person = np.asarray(0.5 + 0.52 * np.tanh(4 * (person - 0.5)), np.float32).clip(0, 1)
    person = np.maximum(person, masks["face"])
    skin_lab = _skin_colour(lab, points_xy, unit_px)
    skin = _skin(lab, skin_lab, masks, person, points_xy, unit_px)
    hair = _hair(lab, skin, masks, person, points_xy, unit_px)
    masks |= {"skin": skin, "hair": hair, "person": person}
    for name, mask in masks.items():
        masks[name] = cv2.resize(mask, (side_px, side_px), interpolation=cv2.INTER_LINEAR).clip(0, 1)
    return Parts(**masks, skin_lab=skin_lab, face_px=unit_px * side_px / _WORK_PX)


def _filled(rings_xy: Sequence[Floats], blur_px: float, grow_px: float = 0.0) -> Floats:
    """Return filled rings, dilated and blurred, (256, 256) 0..1; points are relative to pixel corners."""
    mask = np.zeros((_WORK_PX, _WORK_PX), np.uint8)
    for ring_xy in rings_xy:
        ring = np.rint((ring_xy - 0.5).clip(-2000, 2000) * 16).astype(np.int32)
        cv2.fillPoly(mask, [ring], (255,), cv2.LINE_AA, 4)
        if grow_px >= 0.5:
            cv2.polylines(mask, [ring], True, (255,), max(1, round(2 * grow_px)), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(blur_px, 0.5)), np.float32) / np.float32(255)


def _band(line_xy: Floats, wide_px: float) -> Floats:
    """Return a soft band along an open line, (256, 256) 0..1."""
    mask = np.zeros((_WORK_PX, _WORK_PX), np.uint8)
    line = np.rint((line_xy - 0.5).clip(-2000, 2000) * 16).astype(np.int32)
    cv2.polylines(mask, [line], False, (255,), max(1, round(wide_px)), cv2.LINE_AA, 4)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(0.35 * wide_px, 0.6)), np.float32) / np.float32(255)


def _shapes(points_xy: Floats, unit_px: float) -> dict[str, Floats]:
    """Return the masks of the parts defined by the landmarks alone."""
    soft = 0.012 * unit_px
    irises = [_disc(points_xy[index]) for index in IRISES]
    lids = _filled([points_xy[rim] for rim in EYE_RIMS], soft)
    lips = _filled([points_xy[OUTER_LIPS]], soft)
    opening = _filled([points_xy[INNER_LIPS]], 0.7 * soft)
    return {
        "face": _filled([points_xy[FACE_OVAL]], 2 * soft),
        "eyes": _filled([points_xy[rim] for rim in EYE_RIMS], soft, 0.018 * unit_px),
        "irises": _filled(irises, 0.6 * soft) * lids,
        "brows": _filled([points_xy[brow] for brow in BROWS], soft, 0.008 * unit_px),
        "lips": lips * (1 - opening),
        "mouth_opening": opening,
        "nose": _filled([points_xy[NOSE]], 2 * soft),
        "nostrils": _filled([points_xy[ring] for ring in NOSTRILS], soft, 0.004 * unit_px),
        "jaw": _band(points_xy[JAW], 0.07 * unit_px),
    }


def _disc(iris_xy: Floats) -> Floats:
    radius = float(np.hypot(*(iris_xy[1:] - iris_xy[0]).T).mean())
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False, dtype=np.float32)
    return np.asarray(iris_xy[0] + radius * np.stack((np.cos(angles), np.sin(angles)), 1), np.float32)


def _skin_colour(lab: Floats, points_xy: Floats, unit_px: float) -> Floats:
    """Return the typical skin colour, Lab (3,): patches of cheeks and forehead without the lightest and darkest."""
    patch = cv2.blur(lab, (max(3, round(0.06 * unit_px)),) * 2)
    at = points_xy[_CHEEKS].clip(0, _WORK_PX - 1).astype(int)
    colours = patch[at[:, 1], at[:, 0]]
    order = np.argsort(colours[:, 0])
    return np.asarray(colours[order[2:-2]].mean(0), np.float32)


def _near(points_xy: Floats, grow: tuple[float, float, float]) -> Floats:
    """Return a soft ellipse around the face, (256, 256): 1 inside, falling to 0 at 1.4 times its size.

    Args:
        points_xy: (478, 2) landmarks, pixels.
        grow: Half axes across and down, and the offset of the centre downwards, in half axes of the face.
    """
    oval = points_xy[FACE_OVAL]
    down = points_xy[152] - points_xy[10]
    half_h = max(float(np.hypot(*down)) / 2, 4.0)
    down = down / max(float(np.hypot(*down)), 1e-3)
    along = np.array([down[1], -down[0]], np.float32)
    half_w = max(float(np.ptp(oval @ along)) / 2, 0.55 * half_h)
    middle = (oval.max(0) + oval.min(0)) / 2 + down * (grow[2] * half_h)
    y, x = np.mgrid[0:_WORK_PX, 0:_WORK_PX].astype(np.float32) - middle[::-1, None, None]
    u, v = (x * along[0] + y * along[1]) / (grow[0] * half_w), (x * down[0] + y * down[1]) / (grow[1] * half_h)
    return np.asarray((3.5 - 2.5 * np.sqrt(u * u + v * v)).clip(0, 1), np.float32)


def _skin(
    lab: Floats, skin_lab: Floats, masks: dict[str, Floats], person: Floats, points_xy: Floats, unit_px: float
) -> Floats:
    """Return skin by its distance from the typical colour, with a higher tolerance inside the face."""
    off = lab - skin_lab
    front = np.maximum(masks["face"], _near(points_xy, (0.95, 1.15, -0.15)))  # foreheads reach above the oval
    shaded = np.maximum(masks["face"], _near(points_xy, (0.75, 0.5, 1.1)))  # the neck is in the shade of the chin
    darker = off[..., 0] / ((0.42 + 0.22 * shaded) * skin_lab[0] + 4)
    lightness = np.where(off[..., 0] < 0, darker, off[..., 0] / (48 + 30 * front))
    # Shade reduces chroma with lightness: compare colours scaled to the typical lightness of the skin.
    relight = np.clip((skin_lab[0] + 16) / (lab[..., :1] + 16), 0.5, 2.0)
    chroma = np.hypot(*np.moveaxis(lab[..., 1:] * relight - skin_lab[1:], -1, 0)) / (0.26 * np.hypot(*skin_lab[1:]) + 5)
    chroma /= 1 + front * np.clip(off[..., 0] / 20, 0, 2)  # shine reduces it too
    fine = np.asarray(lab[..., 0] - cv2.GaussianBlur(lab[..., 0], (0, 0), 0.03 * unit_px), np.float32)
    texture = np.sqrt(cv2.GaussianBlur(fine**2, (0, 0), 0.025 * unit_px))
    far = lightness**2 + 0.7 * chroma**2 + (texture / 6.5) ** 2
    inside = masks["face"]
    far /= 1.0 + 0.6 * inside
    nearly = np.exp(-0.5 * (far / _TOLERANCE) ** 2) * np.exp(-0.5 * (_thin_and_dark(lab[..., 0], unit_px) / 6) ** 2)
    alike = _without_spots(np.exp(-0.5 * far**2), nearly, unit_px)
    crown = _near(points_xy, (1.25, 1.2, -0.3)) * np.exp(
        -0.5 * (texture / 2.8) ** 2
    )  # fair hair has more texture than a bald head
    beside = np.maximum(_near(points_xy, (1.3, 1.45, 0.35)) * (1 - _near(points_xy, (2.0, 0.7, -0.9))), crown)
    place = np.maximum(inside, 0.95 * beside)
    skin = cv2.ximgproc.guidedFilter(lab / 100, (alike * place * person).astype(np.float32), 4, 2e-3).clip(0, 1)
    skin = 0.5 + 0.5 * np.tanh(5 * (skin - 0.45))
    for name in ("eyes", "brows", "lips", "mouth_opening", "nostrils"):
        skin = skin * (1 - masks[name])
    return np.asarray(cv2.GaussianBlur(skin, (0, 0), 0.008 * unit_px + 0.3), np.float32)


def _without_spots(alike: Floats, nearly: Floats, unit_px: float) -> Floats:
    """Return what resembles skin, with small areas between that nearly do: a shaded fold, a reddened cheek.

    Beards are larger.
    """
    closed = cv2.morphologyEx(alike.astype(np.float32), cv2.MORPH_CLOSE, _circle(_SPOT * unit_px))
    return np.asarray(np.maximum(alike, closed * nearly), np.float32)


def _thin_and_dark(lightness: Floats, unit_px: float) -> Floats:
    """Return by how much thin shapes, such as the rims of glasses, are darker than what surrounds them."""
    return np.asarray(cv2.morphologyEx(lightness, cv2.MORPH_BLACKHAT, _circle(_RIM * unit_px)), np.float32)


def _circle(diameter_px: float) -> NDArray[np.uint8]:
    side_px = 2 * round(diameter_px / 2) + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side_px, side_px)), np.uint8)


def _hair(
    lab: Floats, skin: Floats, masks: dict[str, Floats], person: Floats, points_xy: Floats, unit_px: float
) -> Floats:
    """Return hair: the person around the upper face without skin; lower down, what resembles the crown."""
    other = person * (1 - skin) * (1 - masks["face"] * _near(points_xy, (0.9, 0.85, 0.1)))
    upper = other * _near(points_xy, (1.5, 1.35, -0.75))
    weight = upper[..., None] + 1e-6
    crown_lab = (lab * weight).sum((0, 1)) / weight.sum((0, 1))
    far = np.sqrt((((lab - crown_lab) / np.array([22, 12, 12], np.float32)) ** 2).sum(-1))
    much = float(np.clip((upper.sum() / unit_px**2 - 0.2) / 0.25, 0, 1))  # a bald crown has no hair further down either
    below = much * other * _near(points_xy, (1.9, 1.7, 0.3)) * np.exp(-0.5 * far**2)
    hair = np.maximum(upper, below) * (1 - masks["eyes"]) * (1 - masks["brows"]) * (1 - masks["lips"])
    return np.asarray(cv2.GaussianBlur(hair, (0, 0), 0.012 * unit_px + 0.3), np.float32)
