"""Upright regions for picture generators: face, head with hair, person, frame.

They do not rotate with the head: a region that is only scaled is cropped and pasted several times as fast, and the
generators are trained on tilted heads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.regions.lips_region import Floats, ImageU8
from engines.regions.temporal_filter import TemporalFilter
from engines.regions.workspace import Workspace

FACE_REGIONS = ("face", "head")  # one region per face
FRAME_REGIONS = ("frame", "person")  # one region per frame
# MediaPipe face mesh: outline of the face from the top of the forehead, clockwise in the picture.
_OVAL_RIGHT = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377)
_OVAL_LEFT = (152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
FACE_OVAL = np.array(_OVAL_RIGHT + _OVAL_LEFT)
_SIDE = {"face": 1.45, "head": 2.0}  # side of the square in heights of the face (forehead to chin)
_UP = {"face": 0.02, "head": 0.13}  # how far its centre lies above the face's, in the same unit
_MIN_FACE_PX = 24.0
_MAX_FRAMES = 6  # largest size of a box, in sizes of the frame
_PLACE_BAND, _SIDE_BAND = 0.03, 0.05  # dead bands for place and size, as parts of the side


@dataclass(frozen=True, slots=True, eq=False)
class PictureRegion:
    """An upright box of one frame, with conversion to the crop's size and back.

    Attributes:
        box: Left, top, right, bottom in whole frame pixels; it may extend beyond the frame.
        size_wh: Width and height of the crop.
        frame_wh: Width and height of the frame.
        mask: (inner height, inner width) uint8, 0..255: where the style paints; None for everywhere.
    """

    box: tuple[int, int, int, int]
    size_wh: tuple[int, int]
    frame_wh: tuple[int, int]
    mask: ImageU8 | None = None

    @property
    def inner(self) -> tuple[int, int, int, int]:
        """The part of the box inside the frame: left, top, right, bottom."""
        (left, top, right, bottom), (width, height) = self.box, self.frame_wh
        return max(0, left), max(0, top), min(width, right), min(height, bottom)

    def cut(self, frame_bgr: ImageU8) -> ImageU8:
        """Return the inner part of the frame as a view, (inner height, inner width, ...) uint8."""
        left, top, right, bottom = self.inner
        return frame_bgr[top:bottom, left:right]

    def crop(self, frame_bgr: ImageU8, workspace: Workspace | None = None) -> ImageU8:
        """Return the crop, (size_wh[1], size_wh[0], ...) uint8; beyond the frame its border pixels are repeated.

        Args:
            frame_bgr: (H, W) or (H, W, C) uint8.
            workspace: For intermediate arrays.
        """
        (left, top, right, bottom), inner = self.box, self.inner
        part, workspace = self.cut(frame_bgr), workspace or Workspace()
        channels = part.shape[2:]
        if inner != self.box:
            wide = workspace.array("rim", (bottom - top, right - left, *channels))
            rim = inner[1] - top, bottom - inner[3], inner[0] - left, right - inner[2]
            part = cv2.copyMakeBorder(part, *rim, cv2.BORDER_REPLICATE, dst=wide)  # type: ignore[assignment]
        shrink = (right - left) / self.size_wh[0]
        # For factors up to 1.5, linear interpolation is as smooth as area averaging, and 7 times as fast.
        how = cv2.INTER_CUBIC if shrink <= 1 else cv2.INTER_LINEAR if shrink <= 1.5 else cv2.INTER_AREA
        while shrink >= 2:  # halving first is several times as fast, and as smooth
            shrink, how = shrink / 2, cv2.INTER_LINEAR
            half_wh = max(1, part.shape[1] // 2), max(1, part.shape[0] // 2)
            half = workspace.array(f"half {shrink:.9g}", (half_wh[1], half_wh[0], *channels))
            part = cv2.resize(part, half_wh, dst=half, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return cv2.resize(part, self.size_wh, interpolation=how)  # type: ignore[return-value]

    def uncrop(
        self, picture: NDArray[Any], workspace: Workspace | None = None, name: str = "uncropped"
    ) -> NDArray[Any]:
        """Resample a picture from the crop to the inner box.

        Args:
            picture: (size_wh[1], size_wh[0], ...) of any type that OpenCV resizes.
            workspace: Holds the result; None to allocate it.
            name: Name of the result in the workspace.

        Returns:
            (inner height, inner width, ...) of the same type and units.
        """
        (left, top, right, bottom), (x, y, to_x, to_y) = self.box, self.inner
        shape = bottom - top, right - left, *picture.shape[2:]
        whole = (workspace or Workspace()).array(name, shape, picture.dtype)
        cv2.resize(picture, (right - left, bottom - top), dst=whole, interpolation=cv2.INTER_CUBIC)
        return whole[y - top : to_y - top, x - left : to_x - left]

    def landmarks(self, landmarks_xy: Floats) -> Floats:
        """Convert landmarks, (N, 2) float32 pixels from the corner of the first one, from frame to crop."""
        left, top, right, bottom = self.box
        scale = (self.size_wh[0] / (right - left), self.size_wh[1] / (bottom - top))
        return np.asarray((landmarks_xy - (left, top)) * scale, np.float32)


def picture_region(
    kind: str,
    landmarks_xy: Floats | None,
    size_wh: tuple[int, int],
    frame_wh: tuple[int, int],
    *,
    temporal_filter: TemporalFilter | None = None,
    at_s: float = 0.0,
) -> PictureRegion | None:
    """Return the region of a kind, one of `FACE_REGIONS` or `FRAME_REGIONS`; the arguments are those of `face_box`.

    Returns:
        The region without a mask; None if it needs a face, and there is none or its square is not in the frame.
    """
    if kind in FRAME_REGIONS:
        return PictureRegion(frame_box(frame_wh, size_wh), size_wh, frame_wh)
    if landmarks_xy is None:
        return None
    box = face_box(landmarks_xy, kind, temporal_filter=temporal_filter, at_s=at_s)
    return PictureRegion(box, size_wh, frame_wh) if box is not None and in_frame(box, frame_wh) else None


def face_box(
    landmarks_xy: Floats, kind: str, *, temporal_filter: TemporalFilter | None = None, at_s: float = 0.0
) -> tuple[int, int, int, int] | None:
    """Return the square around a face.

    Its size follows the larger of the face's height and 1.2 times its width, so that it does not shrink while the head
    nods or turns. With a temporal filter it does not move while the head moves only slightly: the network then gets the
    same pixels, and its output is stable.

    Args:
        landmarks_xy: (478, 2) float32 pixels, face mesh order.
        kind: One of `FACE_REGIONS`.
        temporal_filter: Of the same face; None for a single picture.
        at_s: Time of the frame in seconds.

    Returns:
        Left, top, right, bottom in whole pixels; None if the face is too small or not finite.
    """
    oval = landmarks_xy[FACE_OVAL]
    if not np.isfinite(oval).all():
        return None
    low, high = oval.min(0), oval.max(0)
    height = max(float(high[1] - low[1]), 1.2 * float(high[0] - low[0]))
    if height < _MIN_FACE_PX:
        return None
    x, y = float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2 - _UP[kind] * height
    side = _SIDE[kind] * height
    if temporal_filter is not None:
        side = math.exp(temporal_filter.with_dead_band(f"{kind} side", math.log(side), _SIDE_BAND, at_s))
        x = temporal_filter.with_dead_band(f"{kind} x", x, _PLACE_BAND * side, at_s)
        y = temporal_filter.with_dead_band(f"{kind} y", y, _PLACE_BAND * side, at_s)
    left, top, whole = round(x - side / 2), round(y - side / 2), _multiple_of_four(side)
    return left, top, left + whole, top + whole


def frame_box(frame_wh: tuple[int, int], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the smallest centred box that contains the frame and has the aspect ratio of `size_wh`.

    Returns:
        Left, top, right, bottom in whole pixels.
    """
    width, height = frame_wh
    scale = max(width / size_wh[0], height / size_wh[1])
    box_w, box_h = max(width, _multiple_of_four(scale * size_wh[0])), max(height, _multiple_of_four(scale * size_wh[1]))
    left, top = -((box_w - width) // 2), -((box_h - height) // 2)
    return left, top, left + box_w, top + box_h


def _multiple_of_four(length: float) -> int:
    """Round up to a multiple of four, which is halved without a remainder and so averaged several times as fast."""
    return max(4, 4 * math.ceil(length / 4))


def in_frame(box: tuple[int, int, int, int], frame_wh: tuple[int, int]) -> bool:
    """Whether at least 4x4 pixels of a box lie in the frame, and the box is not excessively large."""
    if max(box[2] - box[0], box[3] - box[1]) > _MAX_FRAMES * max(frame_wh):
        return False
    return min(box[2], frame_wh[0]) - max(box[0], 0) >= 4 and min(box[3], frame_wh[1]) - max(box[1], 0) >= 4
