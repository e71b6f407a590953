"""The lips: from landmarks to an aligned crop of the frame, its mask, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.face_light import LIGHT_TAU_S, face_light
from engines.regions.temporal_filter import TemporalFilter

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]

# MediaPipe face mesh: outer and inner contour of the lips, both from the right mouth corner along the lower lip to the
# left corner and back along the upper lip, so that point i of one lies opposite to point i of the other.
OUTER_LIPS = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185])
INNER_LIPS = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191])
_MIN_MOUTH_PX = 10.0
_CURVE_STEPS = 4
_OPENING_TAU_S = 0.065  # time constant for the mouth opening
_LIGHT_INTERVAL_S = 0.08  # illumination changes slowly: it is not measured on every frame


def _closed_curve_weights(points: int, steps: int) -> Floats:
    """Return (points * steps, points) float32 weights of a closed Catmull-Rom spline through `points` points."""
    weights = np.zeros((points * steps, points), np.float32)
    for i in range(points):
        for step in range(steps):
            t = step / steps
            for offset, weight in (
                (-1, -0.5 * t**3 + t**2 - 0.5 * t),
                (0, 1.5 * t**3 - 2.5 * t**2 + 1),
                (1, -1.5 * t**3 + 2 * t**2 + 0.5 * t),
                (2, 0.5 * t**3 - 0.5 * t**2),
            ):
                weights[i * steps + step, (i + offset) % points] += weight
    return weights


_CURVE16 = 16 * _closed_curve_weights(len(OUTER_LIPS), _CURVE_STEPS)  # OpenCV's unit: 1/16 pixel
_ONE_ONE = np.ones(2, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LipsRegion:
    """An aligned crop of one frame.

    Attributes:
        box: Left, top, right, bottom in frame pixels: nothing outside is read or painted.
        matrix: (2, 3) float64 affine map from pixels of the box to pixels of the crop.
        size_wh: Width and height of the crop.
        mask: (box height, box width) float32, 0..1: where the style may paint.
        light: Illumination of the face, 0..1; see `face_light`.
    """

    box: tuple[int, int, int, int]
    matrix: NDArray[np.float64]
    size_wh: tuple[int, int]
    mask: Floats
    light: float

    def cut(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the box of the frame as a view, (box height, box width, 3) uint8 BGR."""
        left, top, right, bottom = self.box
        return frame_bgr[top:bottom, left:right]

    def crop(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the aligned crop, (size_wh[1], size_wh[0], 3) uint8 BGR; area-averaged if it is much smaller."""
        box_bgr, matrix = self.cut(frame_bgr), self.matrix
        shrink = np.hypot(matrix[:, 0], matrix[:, 1])  # crop pixels per frame pixel along x and y
        factor = float(np.clip(shrink.max() * 1.25, 0.05, 1.0))
        if factor < 0.8:
            height, width = box_bgr.shape[:2]
            small_w, small_h = max(1, round(width * factor)), max(1, round(height * factor))
            box_bgr = cv2.resize(box_bgr, (small_w, small_h), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            fx, fy = small_w / width, small_h / height
            to_box = np.array([[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5], [0, 0, 1]])
            matrix = matrix @ to_box
        return cv2.warpAffine(  # type: ignore[return-value]
            box_bgr, matrix, self.size_wh, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def uncrop(self, change: Floats) -> Floats:
        """Resample a picture or change from the crop to the box.

        Args:
            change: (size_wh[1], size_wh[0], 3) float32.

        Returns:
            (box height, box width, 3) float32 in the same units.
        """
        height, width = self.mask.shape
        larger = 1.0 / max(float(np.hypot(self.matrix[:, 0], self.matrix[:, 1]).min()), 1e-6)
        how = cv2.INTER_CUBIC if larger > 1.5 else cv2.INTER_LINEAR  # linear: 3 times as fast
        return cv2.warpAffine(  # type: ignore[return-value]
            change,
            self.matrix,
            (width, height),
            flags=how | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def lips_region(
    landmarks_xy: Floats,
    frame_bgr: ImageU8,
    *,
    size_wh: tuple[int, int] | None,
    temporal_filter: TemporalFilter | None = None,
    at_s: float = 0.0,
) -> LipsRegion | None:
    """Return the region of the lips: their bounding box, rotated until the mouth corners are level.

    The training crops were cut in the same way: the bounding box, whatever its shape, scaled to 90x30.

    Args:
        landmarks_xy: (478, 2) float32 pixels, face mesh order.
        frame_bgr: (H, W, 3) uint8, 0..255.
        size_wh: Width and height of the crop; None for an upright crop at the frame's resolution.
        temporal_filter: Of the same mouth; smooths illumination and mouth opening. None for a single picture.
        at_s: Time of the frame in seconds.

    Returns:
        The region; None if the lips are too small, outside the frame, or not finite.
    """
    contour_xy = landmarks_xy[OUTER_LIPS]
    if not np.isfinite(contour_xy).all():
        return None
    along_x, along_y = (contour_xy[10] - contour_xy[0]).tolist()
    length = math.hypot(along_x, along_y) or 1.0
    cos, sin = along_x / length, along_y / length
    level = contour_xy @ np.array([[cos, -sin], [sin, cos]], np.float32)
    (low_x, low_y), (high_x, high_y) = level.min(0).tolist(), level.max(0).tolist()
    if high_x - low_x < _MIN_MOUTH_PX or high_y - low_y < _MIN_MOUTH_PX / 6:
        return None
    box = _bounding_box(contour_xy, frame_bgr.shape, margin_px=3 + 0.06 * (high_x - low_x))
    if box is None:
        return None
    if size_wh is None:
        matrix, size_wh = np.array([[1.0, 0, 0], [0, 1.0, 0]]), (box[2] - box[0], box[3] - box[1])
    else:
        along, down = size_wh[0] / (high_x - low_x), size_wh[1] / (high_y - low_y)
        x, y = box[0] + 0.5, box[1] + 0.5  # pixel centres are at half pixels
        matrix = np.array(
            [
                [along * cos, along * sin, along * (cos * x + sin * y - low_x) - 0.5],
                [-down * sin, down * cos, down * (cos * y - sin * x - low_y) - 0.5],
            ]
        )
    mouth_px = high_x - low_x
    mask = _lips_mask(landmarks_xy, box, mouth_px, temporal_filter, at_s)
    light = temporal_filter.recent("light", _LIGHT_INTERVAL_S, at_s) if temporal_filter is not None else None
    if light is None:
        light = face_light(landmarks_xy, frame_bgr, patch_px=0.05 * mouth_px)
        light = light if temporal_filter is None else temporal_filter.smoothed("light", light, LIGHT_TAU_S, at_s)
    return LipsRegion(box, matrix, size_wh, mask, light)


def _bounding_box(points_xy: Floats, shape: tuple[int, ...], *, margin_px: float) -> tuple[int, int, int, int] | None:
    low, high = np.floor(points_xy.min(0) - margin_px), np.ceil(points_xy.max(0) + margin_px)
    left, top = max(0, int(low[0])), max(0, int(low[1]))
    right, bottom = min(shape[1], int(high[0]) + 1), min(shape[0], int(high[1]) + 1)
    return (left, top, right, bottom) if right - left >= 4 and bottom - top >= 4 else None


def _lips_mask(
    landmarks_xy: Floats,
    box: tuple[int, int, int, int],
    mouth_px: float,
    temporal_filter: TemporalFilter | None,
    at_s: float,
) -> Floats:
    """Return the lips without the mouth opening, feathered inwards so that skin and teeth are not painted."""
    feather_px = max(0.6, 0.014 * mouth_px)
    outer, inner = landmarks_xy[OUTER_LIPS], landmarks_xy[INNER_LIPS]
    across = inner - outer
    thick = np.maximum(np.sqrt((across * across) @ _ONE_ONE), np.float32(1e-3))
    inset = np.minimum(0.5 * feather_px / thick, 0.3)[:, None]
    overlap = np.minimum(0.4 * feather_px / thick, 0.25)[:, None]  # slightly into the mouth opening
    contours = np.concatenate((outer + across * inset, inner - across * overlap), axis=1)
    contours -= (box[0] + 0.5, box[1] + 0.5) * 2  # pixel centres are at half pixels
    outline, opening = np.rint(_CURVE16 @ contours).astype(np.int32).reshape(-1, 2, 2).swapaxes(0, 1).copy()
    lips = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    cv2.fillPoly(lips, [outline], (255,), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(lips, (0, 0), feather_px).astype(np.float32)
    gap_x, gap_y = (inner[5] - inner[15]).tolist()
    open_part = _openness(math.hypot(gap_x, gap_y), mouth_px)
    if temporal_filter is not None:
        open_part = temporal_filter.smoothed("opened", open_part, _OPENING_TAU_S, at_s)
    if open_part > 0.01:
        lips[...] = 0
        cv2.fillPoly(lips, [opening], (255,), cv2.LINE_AA, 4)
        hole = cv2.GaussianBlur(lips, (0, 0), 0.7 * feather_px).astype(np.float32)
        hole *= np.float32(-open_part / 255)
        hole += np.float32(1)
        soft *= hole
    soft *= np.float32(1 / 255)
    return soft


def _openness(gap_px: float, mouth_px: float) -> float:
    """Return how far the mouth is open, 0..1, rising smoothly; landmark noise on closed lips gives 0."""
    start_px = 0.02 * mouth_px + 0.3
    part = min(1.0, max(0.0, (gap_px - start_px) / max(0.07 * mouth_px, 2.0)))
    return part * part * (3 - 2 * part)
