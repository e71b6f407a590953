"""A style as what evaluation asks it: pictures in, finished pictures out."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from calibration.evaluation.ssim import SSIM_LEAST_SIDE_PX
from engines.regions.upright import FRAME_REGIONS
from engines.runtime.selector import open_engine

if TYPE_CHECKING:
    from engines.runtime.base import Engine
    from engines.styles import Style
    from engines.training.data.aligned import AlignedRegion

ImageU8 = NDArray[np.uint8]


class Student:
    """A picture style on the runtime that was asked for; to be closed.

    Args:
        style: of any region but "lips". One for whole frames is given them as squares here, so that upright photos
            lose nothing.
        runtime: "torch" is the FP32 reference; "auto" and "openvino" are as live.

    Raises:
        OptionsError: no such runtime.
        EngineError: the weights are not usable, or the runtime is not.
    """

    def __init__(self, style: Style, *, runtime: str = "torch") -> None:
        if style.region in FRAME_REGIONS and style.size_wh[0] != style.size_wh[1]:
            style = replace(style, size_wh=(min(style.size_wh),) * 2)
        self.style = style
        self._engine: Engine | None = None if runtime == "torch" else open_engine(style, runtime=runtime)

    @property
    def runs_on(self) -> str:
        """Runtime and precision, in words; and why it is the slow one, where that was not asked for."""
        info = None if self._engine is None else self._engine.info
        if info is None:
            return "torch fp32"
        return f"{info.runtime} {info.precision}" + (f" ({info.why})" if info.runtime == "torch" else "")

    def answer_bgr(self, region_bgr: ImageU8) -> NDArray[np.float32]:
        """What the network says of one (H, W, 3) BGR region, in steps of 1/255: picture or change, as the style is."""
        if self._engine is not None:
            return np.array(self._engine.infer(np.ascontiguousarray(region_bgr[None]))[0])
        region_rgb = np.ascontiguousarray(region_bgr[:, :, ::-1])
        picture_bgr = self.apply_rgb(region_rgb)[:, :, ::-1].astype(np.float32)
        return picture_bgr - region_bgr if self.style.output == "change" else picture_bgr

    def apply_rgb(self, region_rgb: ImageU8) -> ImageU8:
        """The finished picture of one region at the style's size, (H, W, 3) RGB uint8."""
        if self._engine is None:
            return self.style.apply_rgb(region_rgb)
        answer_rgb = self.answer_bgr(region_rgb[:, :, ::-1])[:, :, ::-1]
        finished = region_rgb + answer_rgb if self.style.output == "change" else answer_rgb
        return np.asarray(np.clip(np.rint(finished), 0, 255), np.uint8)

    def close(self) -> None:
        """Let go; idempotent."""
        if self._engine is not None:
            self._engine.close()


def inside(picture: ImageU8, region: AlignedRegion) -> ImageU8:
    """The part of a region's picture, of any size, that lies in the photo: beyond it there is nothing to score.

    A view; all of the picture where next to nothing of it lies in the photo.
    """
    if region.inner is None:
        return picture
    height, width = picture.shape[:2]
    region_h, region_w = region.rgb.shape[:2]
    left, top, right, bottom = region.inner
    x, to_x = math.ceil(left * width / region_w - 1e-3), math.floor(right * width / region_w + 1e-3)
    y, to_y = math.ceil(top * height / region_h - 1e-3), math.floor(bottom * height / region_h + 1e-3)
    return picture[y:to_y, x:to_x] if min(to_x - x, to_y - y) >= SSIM_LEAST_SIDE_PX else picture


def brought_to(picture: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """A region at the style's size; averaged (INTER_AREA), not skipped."""
    return np.asarray(cv2.resize(picture, size_wh, interpolation=cv2.INTER_AREA), np.uint8)
