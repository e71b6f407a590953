"""From landmarks to an aligned crop of the frame, its mask, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.face_light import face_light
from engines.regions.temporal_filter import TemporalFilter

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]

# MediaPipe face mesh: lips' outer and inner rim, both from the wearer's right mouth corner along the lower lip to
# the left corner and back along the upper lip, so that point i of one lies across from point i of the other.
OUTER_LIPS = np.array([61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185])
INNER_LIPS = np.array([78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191])
_LEAST_MOUTH_PX = 10.0
_CURVE_STEPS = 4
_OPENED_TAU_S = 0.065  # how slowly the opening follows on a film
LIGHT_TAU_S = 0.26  # the same for light and colour
_LIGHT_EVERY_S = 0.08  # light changes slowly: it need not be measured on every frame


def _closed_curve_weights(points: int, steps: int) -> Floats:
    """(points * steps, points) weights of a closed Catmull-Rom curve through `points` points."""
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


_CURVE16 = 16 * _closed_curve_weights(len(OUTER_LIPS), _CURVE_STEPS)  # OpenCV draws in sixteenths of a pixel
_ONE_ONE = np.ones(2, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class LipsRegion:
    """An aligned crop of one frame and where it came from.

    Attributes:
        box: left, top, right, bottom in frame pixels: nothing outside is read or painted.
        matrix: (2, 3) from pixels of the box to pixels of the crop.
        size_wh: the crop's size.
        mask: (box height, box width) float32 0..1, where the style may paint.
        light: how brightly the face is lit, 0..1; see `face_light`.
    """

    box: tuple[int, int, int, int]
    matrix: NDArray[np.float64]
    size_wh: tuple[int, int]
    mask: Floats
    light: float

    def cut(self, frame_bgr: ImageU8) -> ImageU8:
        """The box of the frame as a view, (box height, box width, 3) BGR."""
        left, top, right, bottom = self.box
        return frame_bgr[top:bottom, left:right]

    def crop(self, frame_bgr: ImageU8) -> ImageU8:
        """The aligned crop, (size_wh[1], size_wh[0], 3) BGR uint8; averaged, not skipped, where it is much smaller."""
        box_bgr, matrix = self.cut(frame_bgr), self.matrix
        shrink = np.hypot(matrix[:, 0], matrix[:, 1])  # crop pixels per frame pixel along the crop's x and y
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
        """A picture or change at the crop's size brought to the box: (box height, box width, 3) float32."""
        height, width = self.mask.shape
        larger = 1.0 / max(float(np.hypot(self.matrix[:, 0], self.matrix[:, 1]).min()), 1e-6)
        how = cv2.INTER_CUBIC if larger > 1.5 else cv2.INTER_LINEAR  # 3 times faster, as good here
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
    """The mouth: a tight box with level corners, stretched to `size_wh`; at its own resolution where that is None.

    With a temporal_filter of the same face's mouth, and the frame's time, light and opening change without a jump.

    The training crops were cut this way: the box of the lips' outer rim, whatever its shape, scaled to 90x30.

    Returns None where no lips can be painted: too small, out of the picture, or not finite.
    """
    rim_xy = landmarks_xy[OUTER_LIPS]
    if not np.isfinite(rim_xy).all():
        return None
    along_x, along_y = (rim_xy[10] - rim_xy[0]).tolist()
    length = math.hypot(along_x, along_y) or 1.0
    cos, sin = along_x / length, along_y / length
    level = rim_xy @ np.array([[cos, -sin], [sin, cos]], np.float32)
    (low_x, low_y), (high_x, high_y) = level.min(0).tolist(), level.max(0).tolist()
    if high_x - low_x < _LEAST_MOUTH_PX or high_y - low_y < _LEAST_MOUTH_PX / 6:
        return None
    box = _box_round(rim_xy, frame_bgr.shape, margin_px=3 + 0.06 * (high_x - low_x))
    if box is None:
        return None
    if size_wh is None:
        matrix, size_wh = np.array([[1.0, 0, 0], [0, 1.0, 0]]), (box[2] - box[0], box[3] - box[1])
    else:
        along, down = size_wh[0] / (high_x - low_x), size_wh[1] / (high_y - low_y)
        x, y = box[0] + 0.5, box[1] + 0.5  # pixel centres lie at half pixels
        matrix = np.array(
            [
                [along * cos, along * sin, along * (cos * x + sin * y - low_x) - 0.5],
                [-down * sin, down * cos, down * (cos * y - sin * x - low_y) - 0.5],
            ]
        )
    mouth_px = high_x - low_x
    mask = _lips_mask(landmarks_xy, box, mouth_px, temporal_filter, at_s)
    light = temporal_filter.recent("light", _LIGHT_EVERY_S, at_s) if temporal_filter is not None else None
    if light is None:
        light = face_light(landmarks_xy, frame_bgr, patch_px=0.05 * mouth_px)
        light = light if temporal_filter is None else temporal_filter.smoothed("light", light, LIGHT_TAU_S, at_s)
    return LipsRegion(box, matrix, size_wh, mask, light)


def _box_round(points_xy: Floats, shape: tuple[int, ...], *, margin_px: float) -> tuple[int, int, int, int] | None:
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
    """Outer lips minus mouth opening, feathered inwards so that skin and teeth keep their colour."""
    feather_px = max(0.6, 0.014 * mouth_px)
    outer, inner = landmarks_xy[OUTER_LIPS], landmarks_xy[INNER_LIPS]
    across = inner - outer
    thick = np.maximum(np.sqrt((across * across) @ _ONE_ONE), np.float32(1e-3))
    in_lips = np.minimum(0.5 * feather_px / thick, 0.3)[:, None]
    past_teeth = np.minimum(0.4 * feather_px / thick, 0.25)[:, None]  # a little over the teeth's rim
    rims = np.concatenate((outer + across * in_lips, inner - across * past_teeth), axis=1)
    rims -= (box[0] + 0.5, box[1] + 0.5) * 2  # a pixel's centre lies half a pixel into it
    outline, opening = np.rint(_CURVE16 @ rims).astype(np.int32).reshape(-1, 2, 2).swapaxes(0, 1).copy()
    lips = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    cv2.fillPoly(lips, [outline], (255,), cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(lips, (0, 0), feather_px).astype(np.float32)
    gap_x, gap_y = (inner[5] - inner[15]).tolist()
    opened = _opened(math.hypot(gap_x, gap_y), mouth_px)
    if temporal_filter is not None:
        opened = temporal_filter.smoothed("opened", opened, _OPENED_TAU_S, at_s)
    if opened > 0.01:
        lips[...] = 0
        cv2.fillPoly(lips, [opening], (255,), cv2.LINE_AA, 4)
        hole = cv2.GaussianBlur(lips, (0, 0), 0.7 * feather_px).astype(np.float32)
        hole *= np.float32(-opened / 255)
        hole += np.float32(1)
        soft *= hole
    soft *= np.float32(1 / 255)
    return soft


def _opened(gap_px: float, mouth_px: float) -> float:
    """How far the mouth counts as open, 0..1, rising smoothly: closed lips tremble by a fraction of a pixel."""
    start_px = 0.02 * mouth_px + 0.3
    part = min(1.0, max(0.0, (gap_px - start_px) / max(0.07 * mouth_px, 2.0)))
    return part * part * (3 - 2 * part)
