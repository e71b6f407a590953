"""Upright regions for generators that draw pictures: the face, the head with its hair, the whole frame, the person.

They are not turned with the head: a picture that is only scaled is cut and put back several times faster, and the
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

FACE_REGIONS = ("face", "head")  # one region a face
FRAME_REGIONS = ("frame", "person")  # one region a frame
# MediaPipe face mesh: the face's outline from the top of the forehead, clockwise in the picture.
# fmt: off
FACE_OVAL = np.array([
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
])
# fmt: on
_SIDE = {"face": 1.45, "head": 2.0}  # the square's side in heights of the face (forehead to chin)
_UP = {"face": 0.02, "head": 0.13}  # how far its middle lies above the face's, in the same unit
_LEAST_FACE_PX = 24.0
_MOST_FRAMES = 6  # a box may be so many times larger than the frame
_PLACE_BAND, _SIDE_BAND = 0.03, 0.05  # a head may move and grow by this share of the side before its region follows


@dataclass(frozen=True, slots=True, eq=False)
class PictureRegion:
    """An upright box of one frame, brought to another size and back.

    Attributes:
        box: left, top, right, bottom in whole frame pixels; it may reach over the frame's rim.
        size_wh: the crop's size.
        frame_wh: the frame's.
        mask: (inner height, inner width) uint8, where the style paints; None for everywhere. Inner: inside the frame.
    """

    box: tuple[int, int, int, int]
    size_wh: tuple[int, int]
    frame_wh: tuple[int, int]
    mask: ImageU8 | None = None

    @property
    def inner(self) -> tuple[int, int, int, int]:
        """The part of the box that lies in the frame: left, top, right, bottom."""
        (left, top, right, bottom), (width, height) = self.box, self.frame_wh
        return max(0, left), max(0, top), min(width, right), min(height, bottom)

    def cut(self, frame_bgr: ImageU8) -> ImageU8:
        """The inner part of the frame as a view."""
        left, top, right, bottom = self.inner
        return frame_bgr[top:bottom, left:right]

    def crop(self, frame_bgr: ImageU8, workspace: Workspace | None = None) -> ImageU8:
        """The crop at `size_wh`, any number of colours, uint8; beyond the frame's rim its last pixels go on."""
        (left, top, right, bottom), inner = self.box, self.inner
        part, workspace = self.cut(frame_bgr), workspace or Workspace()
        colours = part.shape[2:]
        if inner != self.box:
            wide = workspace.array("rim", (bottom - top, right - left, *colours))
            rim = inner[1] - top, bottom - inner[3], inner[0] - left, right - inner[2]
            part = cv2.copyMakeBorder(part, *rim, cv2.BORDER_REPLICATE, dst=wide)  # type: ignore[assignment]
        shrink = (right - left) / self.size_wh[0]
        # Up to 1.5 times as large, between two pixels is as smooth as areas, and 7 times faster.
        how = cv2.INTER_CUBIC if shrink <= 1 else cv2.INTER_LINEAR if shrink <= 1.5 else cv2.INTER_AREA
        while shrink >= 2:  # halving first is several times faster, and as smooth
            shrink, how = shrink / 2, cv2.INTER_LINEAR
            half_wh = max(1, part.shape[1] // 2), max(1, part.shape[0] // 2)
            half = workspace.array(f"half {shrink:.9g}", (half_wh[1], half_wh[0], *colours))
            part = cv2.resize(part, half_wh, dst=half, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        return cv2.resize(part, self.size_wh, interpolation=how)  # type: ignore[return-value]

    def uncrop(
        self, picture: NDArray[Any], workspace: Workspace | None = None, name: str = "uncropped"
    ) -> NDArray[Any]:
        """A picture of `size_wh` brought to the inner box, whatever its type; in the scratch's array of that name."""
        (left, top, right, bottom), (x, y, to_x, to_y) = self.box, self.inner
        shape = bottom - top, right - left, *picture.shape[2:]
        whole = (workspace or Workspace()).array(name, shape, picture.dtype)
        cv2.resize(picture, (right - left, bottom - top), dst=whole, interpolation=cv2.INTER_CUBIC)
        return whole[y - top : to_y - top, x - left : to_x - left]

    def landmarks(self, landmarks_xy: Floats) -> Floats:
        """Landmarks of the frame as landmarks of the crop, both counted from the pixels' corners."""
        left, top, right, bottom = self.box
        scale = (self.size_wh[0] / (right - left), self.size_wh[1] / (bottom - top))
        return np.asarray((landmarks_xy - (left, top)) * scale, np.float32)


def face_box(
    landmarks_xy: Floats, kind: str, *, temporal_filter: TemporalFilter | None = None, at_s: float = 0.0
) -> tuple[int, int, int, int] | None:
    """The square round a face, in whole pixels: left, top, right, bottom.

    Its size follows the larger of the face's height and 1.2 times its width, so that nodding and turning do not
    shrink it at once. With a temporal filter it stays where it is while the head moves a little: the same pixels then
    go through the network, and what does not move is drawn the same. None where the face is too small or not finite.
    """
    oval = landmarks_xy[FACE_OVAL]
    if not np.isfinite(oval).all():
        return None
    low, high = oval.min(0), oval.max(0)
    height = max(float(high[1] - low[1]), 1.2 * float(high[0] - low[0]))
    if height < _LEAST_FACE_PX:
        return None
    x, y = float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2 - _UP[kind] * height
    side = _SIDE[kind] * height
    if temporal_filter is not None:
        side = math.exp(temporal_filter.with_dead_band(f"{kind} side", math.log(side), _SIDE_BAND, at_s))
        x = temporal_filter.with_dead_band(f"{kind} x", x, _PLACE_BAND * side, at_s)
        y = temporal_filter.with_dead_band(f"{kind} y", y, _PLACE_BAND * side, at_s)
    left, top, whole = round(x - side / 2), round(y - side / 2), _even(side)
    return left, top, left + whole, top + whole


def frame_box(frame_wh: tuple[int, int], size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """The frame's middle, widened or heightened to the shape of `size_wh`: left, top, right, bottom."""
    width, height = frame_wh
    scale = max(width / size_wh[0], height / size_wh[1])
    box_w, box_h = max(width, _even(scale * size_wh[0])), max(height, _even(scale * size_wh[1]))
    left, top = -((box_w - width) // 2), -((box_h - height) // 2)
    return left, top, left + box_w, top + box_h


def _even(length: float) -> int:
    """The next multiple of four: what halves without a rest is averaged several times faster."""
    return max(4, 4 * math.ceil(length / 4))


def in_frame(box: tuple[int, int, int, int], frame_wh: tuple[int, int]) -> bool:
    """Whether at least a few pixels of the box lie in the frame, and it is not beyond all measure."""
    if max(box[2] - box[0], box[3] - box[1]) > _MOST_FRAMES * max(frame_wh):
        return False
    return min(box[2], frame_wh[0]) - max(box[0], 0) >= 4 and min(box[3], frame_wh[1]) - max(box[1], 0) >= 4
