"""The drawing of one area of a frame: planes become tones and ink, then outlines, eyes and mouths are drawn."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.drawing.face_measures import FaceMeasures
from engines.drawing.features import draw_features, ink_over
from engines.drawing.medium import MAX_GAIN, Medium, gains
from engines.drawing.outlines import as_line, nearness
from engines.drawing.plane_set import HAIR, INK, SHADE, Planes
from engines.drawing.strokes import Points
from engines.regions.masks import crop_of_mask
from engines.regions.upright import FACE_OVAL
from engines.regions.workspace import Workspace

ImageU8 = NDArray[np.uint8]

_SCREEN_PITCH = 0.020  # distance of the halftone dots, as a part of the face's size
_PAPER_LEVEL = 225
_TILE_PX = 256  # of paper and screen; both are repeated
_SHADE_STEP = 255 / 5.6  # levels of the shade plane for one tone
_SOLID = 0.92  # opacity of the outlines
_MASK_SIDE_PX = 224  # masks are soft: their outlines are computed at this size at most
_MIN_HAIR_PX = 8
_INNER = [10, 4, 152, 50, 280]  # landmarks: forehead, nose, chin, cheeks
_MIN_REACH_PX = 2.5  # pixels of a mask: distances to its border are enlarged, which needs a few pixels of slope


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFace:
    """One face of an area.

    Attributes:
        landmarks_xy: (478, 2) pixels of the area, face mesh order, as they are drawn (after the lenses).
        measures: What was measured on the photo.
    """

    landmarks_xy: Points
    measures: FaceMeasures

    @property
    def face_px(self) -> float:
        """The size of the face: the square root of the area of its oval."""
        return max(float(np.sqrt(cv2.contourArea(np.asarray(self.landmarks_xy, np.float32)[FACE_OVAL]))), 8.0)


def draw(
    planes: Planes,
    faces: Sequence[DrawnFace],
    medium: Medium,
    *,
    person: ImageU8 | None = None,
    origin_xy: tuple[int, int] = (0, 0),
    workspace: Workspace | None = None,
) -> ImageU8:
    """Return the drawing of an area, (H, W, 3) uint8 BGR.

    Args:
        planes: Of the area at its size, in the medium's colours (BGR).
        faces: In the area.
        person: (h, w) uint8, at any size: confidence of a person in the area; its border gets an outline.
        origin_xy: Corner of the area in the frame: paper and screen do not move with the area.
        workspace: For intermediate arrays.
    """
    workspace = workspace or Workspace()
    height, width = planes.fields.shape[:2]
    face_px = float(np.mean([face.face_px for face in faces])) if faces else 0.25 * height
    shade, ink, hair = (workspace.array(f"field {index}", (height, width)) for index in (SHADE, INK, HAIR))
    cv2.split(planes.fields, [shade, ink, hair])
    if medium.screen:
        shade = _screened(shade, medium.screen, face_px, origin_xy)
    picture = gains(shade, medium.tone_gain, workspace, "drawing")
    cv2.multiply(planes.colour, picture, dst=picture, scale=MAX_GAIN / 255)
    coverage = workspace.array("coverage", (height, width))
    cv2.LUT(ink, medium.ink_coverage, dst=coverage)
    line_px = medium.line * medium.outline * face_px
    if person is not None:
        with_faces = persons_with_faces(person, faces, (width, height))
        cv2.max(coverage, _line_around(with_faces, (width, height), line_px, face_px, workspace), dst=coverage)
    _draw_hair_line(coverage, hair, person, 0.75 * line_px, face_px, workspace)
    ink_over(picture, coverage, medium, workspace)
    if medium.paper:
        paper = _tiled(_paper(medium.paper), (width, height), origin_xy)
        cv2.multiply(picture, cv2.merge([paper] * 3), dst=picture, scale=1 / _PAPER_LEVEL)
    for face in faces:
        draw_features(picture, face.landmarks_xy, face.measures, medium)
    return picture


def persons_with_faces(person: ImageU8, faces: Sequence[DrawnFace], size_wh: tuple[int, int]) -> ImageU8:
    """Return a person mask without the parts that hold none of the faces; unchanged if there are no faces.

    What resembles a person far from any face is drawn, because it may be one, but an outline would make it conspicuous.

    Args:
        person: (h, w) uint8.
        faces: In an area of `size_wh` pixels, which the mask covers.
    """
    if not faces:
        return person
    _, labels = cv2.connectedComponents((person > 127).astype(np.uint8))
    scale = np.array([person.shape[1] / size_wh[0], person.shape[0] / size_wh[1]])
    held = {0}
    for face in faces:
        at = (np.asarray(face.landmarks_xy)[_INNER] * scale).astype(int).clip(0, np.array(person.shape[::-1]) - 1)
        held |= set(labels[at[:, 1], at[:, 0]].tolist())
    other = np.isin(labels, list(held), invert=True).astype(np.uint8)
    if not other.any():
        return person
    return np.where(cv2.dilate(other, np.ones((7, 7), np.uint8)) > 0, np.uint8(0), person)  # with its soft border


def draw_region(planes: Planes, size_wh: tuple[int, int], medium: Medium, faces: Sequence[DrawnFace] = ()) -> ImageU8:
    """Return the drawing of one region at a size, (H, W, 3) uint8 BGR, from a network's planes (RGB)."""
    colour = np.asarray(cv2.transform(planes.colour, medium.mood), np.uint8)
    return draw(Planes(colour, planes.fields).enlarged(size_wh), faces, medium)


def _draw_hair_line(
    coverage: ImageU8, hair: ImageU8, person: ImageU8 | None, line_px: float, face_px: float, workspace: Workspace
) -> None:
    """Add the outline of hair to a coverage of ink, in place, except where the outline of the person is drawn."""
    x, y, across, down = cv2.boundingRect(hair)
    if min(across, down) < _MIN_HAIR_PX:
        return
    part = np.s_[y : y + down, x : x + across]
    line = _line_around(hair[part], (across, down), line_px, face_px, workspace)
    if person is not None:
        area = (x, y, x + across, y + down)
        near = cv2.subtract(crop_of_mask(person, area, hair.shape[1::-1]), (190,))  # type: ignore[arg-type, call-overload]
        inside = workspace.array("inside", line.shape)
        cv2.resize(cv2.convertScaleAbs(near, alpha=8), (across, down), dst=inside)
        cv2.min(line, inside, dst=line)
    cv2.max(coverage[part], line, dst=coverage[part])


def _line_around(
    mask: ImageU8, size_wh: tuple[int, int], line_px: float, face_px: float, workspace: Workspace
) -> ImageU8:
    """Return a line along the border of a mask, at `size_wh`; computed at a reduced size, drawn at the full one."""
    scale = min(1.0, _MASK_SIDE_PX / max(size_wh), mask.shape[1] / size_wh[0])
    small_wh = max(2, round(scale * size_wh[0])), max(2, round(scale * size_wh[1]))
    small = cv2.resize(mask, small_wh, interpolation=cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
    reach_px = max(line_px, _MIN_REACH_PX / scale)
    near = nearness(small, reach_px * scale, 0.010 * face_px * scale)
    levels = np.rint(near * 255).astype(np.uint8)
    whole = workspace.array("nearness", (size_wh[1], size_wh[0]))
    cv2.resize(levels, size_wh, dst=whole, interpolation=cv2.INTER_CUBIC)
    as_line(whole, line_px, reach_px, _SOLID)
    return whole


def _screened(shade: ImageU8, strength: float, face_px: float, origin_xy: tuple[int, int]) -> ImageU8:
    """Return the shade plane with a halftone screen added: thresholds then give dots that grow with the shade."""
    pitch_px = max(4.0, _SCREEN_PITCH * face_px)
    screen = _tiled(_screen(round(pitch_px * 2) / 2), (shade.shape[1], shade.shape[0]), origin_xy)
    return cv2.addWeighted(shade, 1.0, screen, strength * _SHADE_STEP / 255, -0.5 * strength * _SHADE_STEP)  # type: ignore[return-value]


@functools.lru_cache(maxsize=8)
def _screen(pitch_px: float) -> ImageU8:
    """Return dots at 45 degrees, (S, S) uint8; S is a whole number of periods."""
    side = max(1, round(_TILE_PX / pitch_px)) * 2
    period = 2 * np.pi * side / 2 / _TILE_PX
    y, x = np.mgrid[0:_TILE_PX, 0:_TILE_PX] * period
    wave = 0.5 + 0.25 * (np.cos(x + y) + np.cos(x - y))
    return np.asarray(np.rint(255 * wave), np.uint8)


@functools.lru_cache(maxsize=8)
def _paper(strength: float) -> ImageU8:
    """Return the grain of watercolour paper, (S, S) uint8 around `_PAPER_LEVEL`, repeating without a seam."""
    noise = np.random.default_rng(7).standard_normal((_TILE_PX, _TILE_PX)).astype(np.float32)
    wide = cv2.copyMakeBorder(noise, 32, 32, 32, 32, cv2.BORDER_WRAP)
    grain = np.zeros_like(noise)
    for sigma, weight in ((0.7, 0.5), (1.4, 0.7), (3.0, 0.4)):
        soft = cv2.GaussianBlur(wide, (0, 0), sigma)[32:-32, 32:-32]
        grain += weight * soft / soft.std()
    return np.asarray(np.rint(_PAPER_LEVEL + 12 * strength * grain / grain.std()).clip(180, 255), np.uint8)


def _tiled(tile: ImageU8, size_wh: tuple[int, int], origin_xy: tuple[int, int]) -> ImageU8:
    """Return an area of a plane that is covered with a tile."""
    (width, height), (x, y) = size_wh, (origin % _TILE_PX for origin in origin_xy)
    return np.tile(tile, (-(-(height + y) // _TILE_PX), -(-(width + x) // _TILE_PX)))[y : y + height, x : x + width]
