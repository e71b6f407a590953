"""A synthetic camera for machines without one: a portrait that moves, turns, approaches and leaves the picture.

The portrait is NASA's of Eileen Collins (public domain), from scikit-image. It is cut out along a hand-drawn outline
and placed before a plain lit wall, so that no edges of the photograph are visible.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from live.pipeline.frame import Floats, Frame, ImageU8
from live.pipeline.frame_pool import FramePool
from live.portrait import portrait_bgr
from live.sources.base import FrameSource, SourceInfo
from live.sources.pace import Pace

CYCLE_S = 12.0
ABSENT_S = (9.3, 10.7)  # interval of each cycle without a person in the picture

# Outline of the person in the 512x512 portrait, in pixels, clockwise from the top of the head.
# fmt: off
_OUTLINE_XY = (
    (227, 16), (248, 18), (276, 31), (288, 43), (296, 58), (296, 66), (299, 72), (300, 92), (296, 107), (290, 117),
    (274, 134), (267, 138), (255, 165), (256, 176), (276, 189), (289, 203), (299, 219), (303, 233), (319, 243),
    (340, 262), (345, 272), (347, 282), (352, 286), (352, 291), (356, 302), (357, 323), (362, 330), (360, 333),
    (360, 344), (374, 348), (393, 344), (418, 345), (436, 351), (455, 361), (478, 384), (486, 400), (493, 421),
    (496, 453), (500, 475), (506, 487), (506, 511), (39, 511), (37, 502), (29, 493), (25, 478), (23, 460), (24, 432),
    (19, 418), (19, 390), (26, 366), (26, 342), (34, 315), (39, 306), (40, 294), (46, 278), (54, 267), (55, 262),
    (65, 246), (76, 235), (90, 227), (101, 215), (103, 215), (110, 206), (113, 205), (114, 200), (120, 199),
    (121, 183), (131, 167), (140, 158), (153, 151), (182, 147), (182, 132), (174, 128), (170, 121), (170, 116),
    (167, 115), (157, 104), (154, 92), (153, 68), (156, 58), (163, 51), (174, 43), (185, 38), (201, 23), (205, 21),
    (214, 21),
)
# fmt: on
_FACE_XY, _NECK_XY = (224.0, 128.0), (224.0, 230.0)
_WALL_BGR = (196, 203, 209)
_SCALE = 1.95  # portrait scale for a 720-pixel-high frame: the face is about 220 pixels from hairline to chin
_OVERSAMPLING = 2  # of the cut-out: hides the steps of the fast nearest-neighbour warp
_BANDS = 6


@dataclass(frozen=True, slots=True)
class Pose:
    """Face centre in fractions of the frame's width and height, rotation (positive to the left), and scale factor."""

    x: float
    y: float
    turn_rad: float
    zoom: float


def pose_at(time_s: float) -> Pose:
    """Return the pose at a time; it repeats every `CYCLE_S` seconds without a visible jump."""
    cycle_s = time_s % CYCLE_S
    phase = 2 * math.pi * cycle_s
    turn_rad = math.radians(20) * math.sin(phase / 4) * (0.6 + 0.4 * math.sin(phase / 12 + 0.4))
    zoom = 1 + 0.4 * _smoothstep(1 - abs(cycle_s - 5.2) / 1.9)
    sideways = _smoothstep((cycle_s - 8.5) / 1.1) if cycle_s < 10 else _smoothstep((cycle_s - 10.4) / 1.1) - 1
    return Pose(
        0.5 + 0.06 * math.sin(phase / 6) + 1.15 * sideways,
        0.41 + 0.02 * math.sin(phase / 3) + 0.12 * (zoom - 1),
        turn_rad,
        zoom,
    )


class DemoSource(FrameSource):
    """The moving portrait. A picture depends only on its number and the frame rate.

    Args:
        pace: True returns frames in real time, as a camera does, and without `pts_s`, so that a frame that is read late
            has the time of its capture. False returns them as fast as they are read, with the times of a film.
        frames: Number of frames; None for no limit.
    """

    def __init__(
        self, *, size_wh: tuple[int, int] = (1280, 720), fps: float = 30.0, pace: bool, frames: int | None = None
    ) -> None:
        self.live = pace
        self._size_wh, self._fps, self._frames = size_wh, fps, frames
        self._closed = threading.Event()
        self._pace = Pace(self._closed, catch_up=False) if pace else None
        self._draw: Callable[[float], ImageU8] | None = None  # the picture at a time in seconds
        self._frame_id = 0

    def open(self) -> SourceInfo:
        """Load the portrait and prepare the cut-out."""
        self._draw = _Scene(portrait_bgr(), self._size_wh).draw
        return SourceInfo("demo", self._size_wh, self._fps, self._frames)

    def read(self) -> Frame | None:
        """Return the next frame; None after the last, or once closed."""
        draw, frame_id = self._draw, self._frame_id
        if draw is None or self._closed.is_set() or (self._frames is not None and frame_id >= self._frames):
            return None
        pts_s = frame_id / self._fps
        if self._pace is not None and not self._pace.wait_until(pts_s):
            return None
        self._frame_id += 1
        return Frame(draw(pts_s), frame_id, time.monotonic(), None if self.live else pts_s)

    def close(self) -> None:
        """Release the pictures; a waiting `read` returns at once."""
        self._closed.set()
        self._draw = None


class _Scene:
    """The person before a wall of one colour, and the light on both.

    Because the wall has one colour, the warp can fill uncovered areas, and only boxes around the person are redrawn.
    """

    def __init__(self, portrait_bgr: ImageU8, size_wh: tuple[int, int]) -> None:
        width, height = size_wh
        unit = min(height, 0.75 * width) / 720
        self._size_wh, self._pool = size_wh, FramePool()
        self._scale = max(8 / 512, _SCALE * unit)
        self._person_bgr = _cut_out(portrait_bgr, self._scale * _OVERSAMPLING)
        self._cut_out_scale = self._person_bgr.shape[1] / portrait_bgr.shape[1]
        self._outline_xy = _resampled_outline()
        # In tall frames, a face above this row would show the lower edge of the portrait.
        self._min_face_y = height - 0.85 * (512 - _FACE_XY[1]) * self._scale
        self._shade_bgr = _shade(size_wh)
        wall_bgr = np.full((height, width, 3), _WALL_BGR, np.uint8)
        self._wall_bgr: ImageU8 = np.asarray(cv2.subtract(wall_bgr, self._shade_bgr), np.uint8)

    def draw(self, time_s: float) -> ImageU8:
        """Return one frame, (H, W, 3) uint8 BGR, in an array of its own."""
        pose, (width, height) = pose_at(time_s), self._size_wh
        cos, sin = math.cos(pose.turn_rad), math.sin(pose.turn_rad)
        rotation = self._scale * pose.zoom * np.array([[cos, sin], [-sin, cos]])
        face_xy = np.array([pose.x * width, max(pose.y * height, self._min_face_y)])
        # The pose states the position of the upright face; the rotation is about the neck.
        neck_xy = face_xy + (np.array(_NECK_XY) - _FACE_XY) * self._scale * pose.zoom
        shift = neck_xy - rotation @ np.array(_NECK_XY)
        frame_bgr = self._pool.take(self._wall_bgr.shape)
        np.copyto(frame_bgr, self._wall_bgr)
        from_cut_out = np.column_stack([rotation / self._cut_out_scale, shift])
        for left, top, right, bottom in self._boxes(self._outline_xy @ rotation.T + shift):
            box_bgr = frame_bgr[top:bottom, left:right]
            cv2.warpAffine(
                self._person_bgr,
                from_cut_out - [[0, 0, left], [0, 0, top]],
                (right - left, bottom - top),
                dst=box_bgr,
                flags=cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=_WALL_BGR,
            )
            cv2.subtract(box_bgr, self._shade_bgr[top:bottom, left:right], dst=box_bgr)
        return frame_bgr

    def _boxes(self, outline_xy: Floats) -> Iterator[tuple[int, int, int, int]]:
        """Yield boxes (left, top, right, bottom) that cover the person: horizontal bands of minimal width."""
        width, height = self._size_wh
        margin = 8 * self._scale + 4
        edges = [round(height * band / _BANDS) for band in range(_BANDS + 1)]
        for top, bottom in itertools.pairwise(edges):
            in_band = (outline_xy[:, 1] >= top - margin) & (outline_xy[:, 1] <= bottom + margin)
            band_x = outline_xy[in_band, 0]
            if band_x.size == 0 or bottom <= top:
                continue
            left, right = max(0, int(band_x.min() - margin)), min(width, int(band_x.max() + margin))
            if right > left:
                yield left, top, right, bottom


def _smoothstep(x: float) -> float:
    """Return the fifth-degree smoothstep of `x` clamped to 0..1: no velocity or acceleration at both ends."""
    x = min(1.0, max(0.0, x))
    return x * x * x * (x * (6 * x - 15) + 10)


def _cut_out(portrait_bgr: ImageU8, scale: float) -> ImageU8:
    """Return the scaled and slightly sharpened person on the wall's colour."""
    side = max(8, round(512 * scale))
    sharp_bgr = cv2.addWeighted(portrait_bgr, 1.35, cv2.GaussianBlur(portrait_bgr, (0, 0), 0.8), -0.35, 0)
    large_bgr = cv2.resize(sharp_bgr, (side, side), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros((side, side), np.uint8)
    corners = np.round((np.array(_OUTLINE_XY) + 0.5) * side / 512 * 16).astype(np.int32)
    cv2.fillPoly(mask, [corners], (255,), cv2.LINE_AA, 4)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(0.4 * scale)))  # no rim of the backdrop
    alpha = cv2.GaussianBlur(inner, (0, 0), max(0.3, 0.7 * scale)).astype(np.float32) / 255
    wall_bgr = np.full_like(large_bgr, _WALL_BGR)
    return cv2.blendLinear(large_bgr, wall_bgr, alpha, 1 - alpha)  # type: ignore[return-value]


def _resampled_outline() -> Floats:
    """Return (N, 2) points along the outline, at most 6 portrait pixels apart."""
    corners = np.array(_OUTLINE_XY, np.float32)
    segments = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        steps = max(1, math.ceil(float(np.hypot(*(end - start))) / 6))
        segments.append(start + (end - start) * (np.arange(steps, dtype=np.float32) / steps)[:, None])
    return np.concatenate(segments)


def _shade(size_wh: tuple[int, int]) -> ImageU8:
    """Return how much darker each pixel is than in full light: a window on the left, and lens vignetting."""
    width, height = size_wh
    x, y = np.meshgrid(np.linspace(0, 1, 160, dtype=np.float32), np.linspace(0, 1, 90, dtype=np.float32))
    vignette = 42 * np.hypot(x - 0.36, 0.75 * (y - 0.34)) ** 1.7
    window = 9 / (1 + np.exp(-9 * (0.9 * x + 0.35 * y - 0.66)))
    dark = cv2.resize((vignette + window).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(3).random((height, width), np.float32)  # hides the banding of a slow gradient
    tint_bgr = np.array([1.05, 1.0, 0.95], np.float32)
    shade_bgr: ImageU8 = np.clip(dark[..., None] * tint_bgr + grain[..., None], 0, 255).astype(np.uint8)
    return shade_bgr
