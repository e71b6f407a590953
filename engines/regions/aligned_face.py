"""The aligned region of a face: eyes and mouth of every person come to the same places of the crop.

The crop is turned with the head. Its width follows the distance of the eyes and its height that of eyes and mouth, so a
face of other proportions that is generated in the crop has eyes and mouth where the person's own are.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.eyes import IRIS_CENTRES, LOWER_LIDS, UPPER_LIDS
from engines.regions.lips_region import INNER_LIPS, OUTER_LIPS, Floats, ImageU8
from engines.regions.upright import FACE_OVAL, PictureRegion, in_frame
from engines.regions.workspace import Workspace

REGION = "aligned"
# MediaPipe face mesh: corners of both eyes, the right one of the person first, and of the mouth.
_EYES, _MOUTH = ((33, 133), (362, 263)), (61, 291)
_LIDS = [[*upper, *lower[-2:0:-1]] for upper, lower in zip(UPPER_LIDS, LOWER_LIDS, strict=True)]  # closed outlines
_IRIS_RADIUS = 0.014  # in parts of the side
_EYES_APART, _EYES_Y, _MOUTH_Y = 0.36, 0.37, 0.68  # places in the crop, in parts of its side
_MOST_STRETCH = 1.5  # of one side against the other: eyes of a turned head come close to each other
_MIN_EYES_PX = 6.0
_ERODED, _FEATHER = 0.03, 0.025  # of the mask, in parts of the crop's side


@dataclass(frozen=True, slots=True, eq=False)
class AlignedFace(PictureRegion):
    """A crop that is turned and stretched; `box` is the smallest upright box around it.

    Attributes:
        matrix: (2, 3) from pixels of the frame to pixels of the crop, both counted from the corner of the first one.
    """

    matrix: NDArray[np.float64] | None = None

    def crop(self, frame_bgr: ImageU8, workspace: Workspace | None = None) -> ImageU8:
        """Return the crop, (size_wh[1], size_wh[0], ...) uint8; beyond the frame its border pixels are repeated."""
        part, (left, top, _, _) = self.cut(frame_bgr), self.inner
        matrix = _moved(self._matrix, left, top)
        scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
        if scale < 0.75:  # averaged first: a plain warp would alias
            small_wh = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
            fx, fy = part.shape[1] / small_wh[0], part.shape[0] / small_wh[1]
            part = cv2.resize(part, small_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            matrix = matrix @ np.diag((fx, fy, 1.0))
        how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
        return cv2.warpAffine(  # type: ignore[return-value]
            part, _at_centres(matrix), self.size_wh, flags=how, borderMode=cv2.BORDER_REPLICATE
        )

    def uncrop(
        self, picture: NDArray[Any], workspace: Workspace | None = None, name: str = "uncropped"
    ) -> NDArray[Any]:
        """Resample a picture from the crop to the inner box; beyond the crop its border pixels are repeated."""
        left, top, right, bottom = self.inner
        whole = (workspace or Workspace()).array(name, (bottom - top, right - left, *picture.shape[2:]), picture.dtype)
        cv2.warpAffine(
            picture, _at_centres(_moved(self._matrix, left, top)), (right - left, bottom - top), dst=whole,
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return whole

    def landmarks(self, landmarks_xy: Floats) -> Floats:
        """Convert landmarks, (N, 2) float32 pixels, from frame to crop."""
        return np.asarray(landmarks_xy @ self._matrix[:, :2].T + self._matrix[:, 2], np.float32)

    @property
    def _matrix(self) -> NDArray[np.float64]:
        assert self.matrix is not None
        return self.matrix


def aligned_face(
    landmarks_xy: Floats, size_wh: tuple[int, int], frame_wh: tuple[int, int], *, margin_px: int = 0
) -> AlignedFace | None:
    """Return the aligned region of a face without a mask.

    Args:
        landmarks_xy: (478, 2) float32 pixels, face mesh order.
        size_wh: Width and height of the crop.
        frame_wh: Width and height of the frame.
        margin_px: Added to the crop on each side.

    Returns:
        The region; None if the face is too small, not finite or not in the frame.
    """
    points = np.asarray(landmarks_xy, np.float64)
    (one, other), mouth = (points[list(corners)].mean(0) for corners in _EYES), points[list(_MOUTH)].mean(0)
    along, middle = other - one, (one + other) / 2
    apart = float(np.hypot(*along))
    if not np.isfinite(points[FACE_OVAL]).all() or not np.isfinite(apart) or apart < _MIN_EYES_PX:
        return None
    along = along / apart
    down = np.array([-along[1], along[0]])
    below = float((mouth - middle) @ down)
    if below < _MIN_EYES_PX / 2:
        return None
    apart, below = max(apart, below / _MOST_STRETCH), max(below, apart / _MOST_STRETCH)
    rows = np.stack((along * (_EYES_APART * size_wh[0] / apart), down * ((_MOUTH_Y - _EYES_Y) * size_wh[1] / below)))
    origin = np.array([0.5 * size_wh[0], _EYES_Y * size_wh[1]]) + margin_px - rows @ middle
    size_wh = size_wh[0] + 2 * margin_px, size_wh[1] + 2 * margin_px
    corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * size_wh
    in_the_frame = (corners - origin) @ np.linalg.inv(rows).T
    low, high = np.floor(in_the_frame.min(0)), np.ceil(in_the_frame.max(0))
    box = int(low[0]), int(low[1]), int(high[0]), int(high[1])
    if not in_frame(box, frame_wh):
        return None
    return AlignedFace(box, size_wh, frame_wh, matrix=np.column_stack((rows, origin)))


def oval_mask(region: PictureRegion, landmarks_xy: Floats, eroded: float = _ERODED) -> ImageU8:
    """Return the face's oval in the crop, (size_wh[1], size_wh[0]) uint8: eroded, feathered, 0 at the border.

    Args:
        eroded: Width of the border that is left out, in parts of the crop's side.
    """
    width, height = region.size_wh
    mask = np.zeros((height, width), np.uint8)
    outline = np.rint((region.landmarks(landmarks_xy)[FACE_OVAL] - 0.5) * 16)
    if np.isfinite(outline).all():
        cv2.fillPoly(mask, [outline.clip(-(2**20), 2**20).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    eroded_px, feather_px = round(eroded * height), max(0.8, _FEATHER * height)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = 0, 0, 0, 0
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * eroded_px + 1,) * 2)
    soft = cv2.GaussianBlur(cv2.erode(mask, kernel), (0, 0), feather_px)
    return cv2.multiply(soft, _inside((width, height)), scale=1 / 255)  # type: ignore[return-value]


def openings(region: PictureRegion, landmarks_xy: Floats) -> tuple[float, float]:
    """Return how far eyes and mouth are open: the areas inside the lids and inside the inner lips, in pixels."""
    xy = np.asarray(region.landmarks(landmarks_xy), np.float32)
    return sum(cv2.contourArea(xy[lids]) for lids in _LIDS), cv2.contourArea(xy[INNER_LIPS])


def guide_lines(region: PictureRegion, landmarks_xy: Floats, side_px: int) -> ImageU8:
    """Return lines at lids, irises and lips in the crop: what the expression is.

    Args:
        side_px: Side of the network's picture, which the crop may surround with a margin.

    Returns:
        (H, W) uint8 for `size_wh` (W, H), anti-aliased.
    """
    return guide_lines_at(region.landmarks(landmarks_xy), region.size_wh, side_px)


def guide_lines_at(xy: Floats, size_wh: tuple[int, int], side_px: int) -> ImageU8:
    """Return the lines of `guide_lines`, (H, W) uint8, for landmarks that are given in pixels of the crop.

    Args:
        xy: (478, 2) float32 pixels of the crop, face mesh order.
        size_wh: Width and height of the crop.
        side_px: See `guide_lines`.
    """
    lines = np.zeros((size_wh[1], size_wh[0]), np.uint8)
    if not np.isfinite(xy).all():
        return lines
    places = np.rint((xy - 0.5) * 16).clip(-(2**20), 2**20).astype(np.int32)
    outlines = [places[outline] for outline in (*_LIDS, OUTER_LIPS, INNER_LIPS)]
    cv2.polylines(lines, outlines, True, (255,), max(1, round(side_px / 96)), cv2.LINE_AA, 4)
    eyes, irises = np.zeros_like(lines), np.zeros_like(lines)
    cv2.fillPoly(eyes, outlines[:2], (255,), cv2.LINE_AA, 4)
    for iris in IRIS_CENTRES:
        cv2.circle(irises, places[iris].tolist(), round(16 * _IRIS_RADIUS * side_px), (255,), -1, cv2.LINE_AA, 4)
    return cv2.max(lines, cv2.min(eyes, irises))  # type: ignore[return-value]


def guided(crop: ImageU8, lines: ImageU8) -> ImageU8:
    """Return a crop, (H, W, 3) uint8 RGB or BGR, with lines (H, W) drawn over it in green."""
    below = cv2.multiply(crop, cv2.merge([cv2.bitwise_not(lines)] * 3), scale=1 / 255)
    below[:, :, 1] = cv2.add(np.ascontiguousarray(below[:, :, 1]), lines)
    return np.asarray(below, np.uint8)


@functools.cache
def _inside(size_wh: tuple[int, int]) -> ImageU8:
    """Return 255 inside the crop, falling to 0 at its border."""
    width, height = size_wh
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    edge = np.minimum.reduce([x, y, width - x, height - y]) - 0.5
    return np.asarray(np.rint(255 * np.clip(edge / max(2.0, 0.05 * height), 0, 1)), np.uint8)


def _moved(matrix: NDArray[np.float64], left: int, top: int) -> NDArray[np.float64]:
    """Return the matrix for pixels that are counted from (left, top)."""
    return np.column_stack((matrix[:, :2], matrix @ (left, top, 1.0)))


def _at_centres(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix for OpenCV, which counts from the centre of the first pixel."""
    return np.column_stack((matrix[:, :2], matrix @ (0.5, 0.5, 1.0) - 0.5))
