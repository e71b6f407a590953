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
from engines.drawing.guided_enlargement import guided_enlargement
from engines.drawing.ink_parts import shade_and_ink
from engines.drawing.medium import MAX_GAIN, Medium, gains
from engines.drawing.outlines import as_line, nearness
from engines.drawing.plane_set import Planes
from engines.drawing.strokes import Points
from engines.regions.upright import FACE_OVAL
from engines.regions.workspace import Workspace

ImageU8 = NDArray[np.uint8]

_SCREEN_PITCH = 0.020  # distance of the halftone dots, as a part of the face's size
_PAPER_LEVEL = 225
_TILE_PX = 256  # of paper and screen; both are repeated
_SHADE_STEP = 255 / 5.6  # levels of the shade plane for one tone
_SOLID = 0.92  # opacity of the outlines
_MASK_SIDE_PX = 224  # masks are soft: their outlines are computed at this size at most
_PERSON_LEVEL = 0.7  # of the person mask: its outline lies inside what is blended into the frame
_HOLE = 0.12  # of the face's area: holes of the person mask below it get no outline
_INLET = 0.08  # of the face's size: what is narrower and lies within the person gets no outline
_PERSON_SLOPE = 0.003  # see `nearness`
_CONTRAST = (9, 24)  # levels between neighbours from which an outline appears, and is complete: none on a plain wall
_CONTRAST_REACH, _CONTRAST_SIDE_PX = 0.05, 64  # of the face's size: how far apart the colours are compared
_INNER = [10, 4, 152, 50, 280]  # landmarks: forehead, nose, chin, cheeks
_MIN_REACH_PX = 2.5  # pixels of a mask: distances to its border are enlarged, which needs a few pixels of slope


@dataclass(frozen=True, slots=True, eq=False)
class DrawnFace:
    """One face of an area.

    Attributes:
        landmarks_xy: (478, 2) pixels of the area, face mesh order, as they are drawn (after the lenses).
        measures: What was measured on the photo.
        hands: Before the face, (21, 3) each; see `draw_hands`.
    """

    landmarks_xy: Points
    measures: FaceMeasures
    hands: tuple[Points, ...] = ()

    @property
    def face_px(self) -> float:
        """The size of the face: the square root of the area of its oval."""
        return max(float(np.sqrt(cv2.contourArea(np.asarray(self.landmarks_xy, np.float32)[FACE_OVAL]))), 8.0)


def draw(
    planes: Planes,
    medium: Medium,
    face_px: float,
    *,
    person: ImageU8 | None = None,
    origin_xy: tuple[int, int] = (0, 0),
    least_pitch_px: float = 4.0,
    workspace: Workspace | None = None,
) -> ImageU8:
    """Return the drawing of an area without the features of faces, (H, W, 3) uint8 BGR.

    Args:
        planes: Of the area at its size, in the medium's colours (BGR), with fields of `shade_and_ink`.
        face_px: See `DrawnFace`, in pixels of the area; lines and the halftone screen scale with it.
        person: (h, w) uint8, at any size: confidence of a person in the area; its border gets an outline.
        origin_xy: Corner of the area in the frame: the screen does not move with the area.
        least_pitch_px: Least distance of the screen's dots; below 4 there are none.
        workspace: For intermediate arrays; one of them is returned.
    """
    workspace = workspace or Workspace()
    height, width = planes.fields.shape[:2]
    shade, coverage = (workspace.array(name, (height, width)) for name in ("shade", "coverage"))
    cv2.split(planes.fields, [shade, coverage])
    if medium.screen:
        shade = _screened(shade, medium.screen, max(least_pitch_px, _SCREEN_PITCH * face_px), origin_xy)
    picture = gains(shade, medium.tone_gain, workspace, "drawing")
    cv2.multiply(planes.colour, picture, dst=picture, scale=MAX_GAIN / 255)
    cv2.LUT(coverage, medium.ink_coverage, dst=coverage)
    line_px = medium.line * medium.outline * face_px
    if person is not None and line_px > 0:
        line = _line_around(person, (width, height), line_px, face_px, workspace)
        shown = cv2.resize(_contrast(planes.colour, face_px), (width, height))
        cv2.max(coverage, cv2.min(line, shown, dst=line), dst=coverage)
    ink_over(picture, coverage, medium, workspace)
    return picture


def put_on_paper(
    picture_bgr: ImageU8, medium: Medium, origin_xy: tuple[int, int] = (0, 0), mask: ImageU8 | None = None
) -> None:
    """Add the grain of the medium's paper to a drawing (H, W, 3) uint8, in place.

    Args:
        origin_xy: Corner of the drawing in the frame: the paper does not move with it.
        mask: (H, W) uint8: there is paper where it is 255; None for everywhere.
    """
    if medium.paper:
        paper = _tiled(_paper(medium.paper), (picture_bgr.shape[1], picture_bgr.shape[0]), origin_xy)
        if mask is not None:
            paper[mask < 255] = _PAPER_LEVEL
        cv2.multiply(picture_bgr, cv2.merge([paper] * 3), dst=picture_bgr, scale=1 / _PAPER_LEVEL)


def persons_with_faces(person: ImageU8, faces: Sequence[DrawnFace], size_wh: tuple[int, int]) -> ImageU8:
    """Return a person mask as it is outlined: without parts that hold none of the faces, and without small holes.

    What resembles a person far from any face is drawn, because it may be one, but an outline would make it conspicuous.
    So would a loop around a few pixels of clothes that the mask leaves out. Without faces the mask is unchanged.

    Args:
        person: (h, w) uint8.
        faces: In an area of `size_wh` pixels, which the mask covers.
    """
    if not faces:
        return person
    scale = np.array([person.shape[1] / size_wh[0], person.shape[0] / size_wh[1]])
    side_px = float(np.mean([face.face_px for face in faces])) * float(np.sqrt(scale.prod()))
    person = _without_small_holes(person, max(_HOLE * side_px**2, 1.0))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_INLET * side_px / 2) + 1,) * 2)
    rim = disc.shape[0]  # beyond the border there is no person
    padded = cv2.copyMakeBorder(person, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=(0,))
    person = np.asarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc)[rim:-rim, rim:-rim], np.uint8)
    count, labels = cv2.connectedComponents(cv2.threshold(person, 127, 1, cv2.THRESH_BINARY)[1])
    other = np.ones(count, np.uint8)
    other[0] = 0
    for face in faces:
        at = (np.asarray(face.landmarks_xy)[_INNER] * scale).astype(int).clip(0, np.array(person.shape[::-1]) - 1)
        other[labels[at[:, 1], at[:, 0]]] = 0
    if not other.any():
        return person
    spread = cv2.dilate(other[labels], np.ones((7, 7), np.uint8))  # with its soft border
    return np.where(spread > 0, np.uint8(0), person)


def _without_small_holes(person: ImageU8, hole_px: float) -> ImageU8:
    """Return a mask, (h, w) uint8, without holes below an area; those of twice the area stay as they are.

    What reaches the border of the picture is no hole.
    """
    outside = cv2.threshold(person, 255 * _PERSON_LEVEL, 1, cv2.THRESH_BINARY_INV)[1]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    filled = np.rint(255 * (2 - stats[:, cv2.CC_STAT_AREA] / hole_px).clip(0, 1)).astype(np.uint8)
    low, high = stats[:, :2], stats[:, :2] + stats[:, 2:4]
    filled[(low == 0).any(1) | (high == outside.shape[::-1]).any(1)] = 0
    filled[0] = 0  # the person
    if not filled.any():
        return person
    return np.asarray(cv2.max(person, cv2.dilate(filled[labels], np.ones((5, 5), np.uint8))), np.uint8)


def draw_region(
    planes: Planes,
    size_wh: tuple[int, int],
    medium: Medium,
    faces: Sequence[DrawnFace] = (),
    photo_bgr: ImageU8 | None = None,
) -> ImageU8:
    """Return the drawing of one region at a size, (H, W, 3) uint8 BGR, from a network's planes (RGB).

    Args:
        photo_bgr: (H, W, 3) uint8 of the region at that size; a smaller colour plane gets its borders.
    """
    colour = np.asarray(cv2.transform(planes.colour, medium.mood), np.uint8)
    if photo_bgr is not None and colour.shape[1] < size_wh[0]:
        colour = guided_enlargement(colour, medium.muted(photo_bgr))
    face_px = float(np.mean([face.face_px for face in faces])) if faces else 0.25 * size_wh[1]
    scale = np.array(planes.fields.shape[1::-1]) / size_wh
    fields = shade_and_ink(planes.fields, [face.landmarks_xy * scale for face in faces], medium, hair=True)
    picture = draw(Planes(colour, fields).enlarged(size_wh), medium, face_px)
    for face in faces:
        draw_features(picture, face.landmarks_xy, face.measures, medium)
    put_on_paper(picture, medium)
    return picture


def _contrast(colour: ImageU8, face_px: float) -> ImageU8:
    """Return where neighbouring colours differ, (h, w) uint8 at a reduced size: 0 alike, 255 clearly different."""
    scale = min(1.0, _CONTRAST_SIDE_PX / max(colour.shape[:2]))
    small = cv2.resize(colour, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    window = np.ones((max(3, 2 * round(_CONTRAST_REACH * face_px * scale) + 1),) * 2, np.uint8)
    blue, green, red = cv2.split(cv2.subtract(cv2.dilate(small, window), cv2.erode(small, window)))
    low, high = _CONTRAST
    spread = cv2.subtract(cv2.max(cv2.max(blue, green), red), (low,))  # type: ignore[call-overload]
    return np.asarray(cv2.convertScaleAbs(spread, alpha=255 / (high - low)), np.uint8)


def _line_around(
    mask: ImageU8,
    size_wh: tuple[int, int],
    line_px: float,
    face_px: float,
    workspace: Workspace,
) -> ImageU8:
    """Return a line along the border of a person mask, at `size_wh`; computed at a reduced size."""
    scale = min(1.0, _MASK_SIDE_PX / max(size_wh), mask.shape[1] / size_wh[0])
    small_wh = max(2, round(scale * size_wh[0])), max(2, round(scale * size_wh[1]))
    small = cv2.resize(mask, small_wh, interpolation=cv2.INTER_LINEAR).astype(np.float32) / np.float32(255)
    reach_px = max(line_px, _MIN_REACH_PX / scale)
    near = nearness(small, reach_px * scale, 0.016 * face_px * scale, level=_PERSON_LEVEL, min_slope=_PERSON_SLOPE)
    levels = np.rint(near * 255).astype(np.uint8)
    whole = workspace.array("nearness", (size_wh[1], size_wh[0]))
    cv2.resize(levels, size_wh, dst=whole, interpolation=cv2.INTER_CUBIC)
    as_line(whole, line_px, reach_px, _SOLID)
    return whole


def _screened(shade: ImageU8, strength: float, pitch_px: float, origin_xy: tuple[int, int]) -> ImageU8:
    """Return the shade plane with a halftone screen added: thresholds then give dots that grow with the shade."""
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
