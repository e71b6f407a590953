"""The built-in portrait, drawn from the cel teacher's planes."""

from __future__ import annotations

import functools
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from support.portrait_region import portrait_region

from engines.drawing.drawing import DrawnFace, draw_region
from engines.drawing.face_measures import measure_face
from engines.drawing.medium import MEDIA, Medium
from engines.drawing.plane_set import Planes
from engines.training.data.aligned import AlignedRegion
from engines.training.teachers.cel import cel


@functools.cache
def taught() -> NDArray[np.uint8]:
    return cel(portrait_region("head"))


def drawn_rgb(
    region: AlignedRegion, planes: NDArray[np.uint8], medium: Medium = MEDIA["cel"], *, with_features: bool = True
) -> NDArray[np.uint8]:
    colour, fields = np.split(planes, 2)
    frame_bgr = np.ascontiguousarray(region.rgb[:, :, ::-1])
    faces = [DrawnFace(region.landmarks_xy, measure_face(frame_bgr, region.landmarks_xy))] if with_features else []
    drawn_bgr = draw_region(Planes(colour, fields), (region.rgb.shape[1], region.rgb.shape[0]), medium, faces)
    return np.ascontiguousarray(drawn_bgr[:, :, ::-1])


def drawn_portrait(region: AlignedRegion | None = None, medium: str = "cel", **changes: float) -> NDArray[np.uint8]:
    return drawn_rgb(region or portrait_region("head"), taught(), replace(MEDIA[medium], **changes))  # type: ignore[arg-type]


def around(points_xy: NDArray[np.float32], reach_px: int) -> tuple[slice, slice]:
    x, y = np.rint(points_xy.mean(0)).astype(int)
    return slice(y - reach_px, y + reach_px), slice(x - reach_px, x + reach_px)


def lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def mean_lab(rgb: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((lab(rgb) * mask[..., None]).sum((0, 1)) / mask.sum(), np.float32)
