"""The values that walk through the program: a frame, the faces on it, a frame with its faces."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture on its way through the program.

    Whoever holds the frame owns its pixels: a source never touches an array again after it gave it away,
    so the compositor may paint in place.

    Attributes:
        bgr: (H, W, 3) uint8, C-contiguous, BGR.
        frame_id: counts up from 0, without gaps, at the source.
        captured_s: time.monotonic() when the picture was complete in memory.
        pts_s: the picture's place in its file in seconds; None for a live source.
        cover: how much of the faces the picture hides, 0..1: 0 as it was taken, 1 drawn at full strength, blurred, or
            a card. See `live.render.privacy_fallback.wanted_cover`.
    """

    bgr: ImageU8
    frame_id: int
    captured_s: float
    pts_s: float | None = None
    cover: float = 0.0

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.bgr.shape[1], self.bgr.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face on one frame.

    Attributes:
        face_id: stays the same while the face stays in the picture.
        landmarks_xy: (478, 2) float32 pixels of that very frame, MediaPipe face mesh order.
    """

    face_id: int
    landmarks_xy: Floats


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame and what was found on it.

    Attributes:
        faces: on this very frame.
        track_ms: the time the finding took.
        person: how surely a pixel shows a person, uint8, the whole frame at a small size; None if nobody looked.
    """

    frame: Frame
    faces: tuple[Face, ...]
    track_ms: float
    person: ImageU8 | None = None


def checked(frame: Frame) -> Frame:
    """The frame as `Frame` promises it: what can be put right without loss is.

    Raises:
        ValueError: no picture, of another kind, empty, or without a time; says what it is instead.
    """
    bgr: object = frame.bgr
    if not isinstance(bgr, np.ndarray):
        raise ValueError(f"{type(bgr).__name__} in place of a picture")
    if bgr.ndim != 3 or bgr.shape[2] != 3 or bgr.dtype != np.uint8 or not bgr.size:
        raise ValueError(f"a picture of shape {bgr.shape}, {bgr.dtype}")
    times_s = (frame.captured_s, 0.0 if frame.pts_s is None else frame.pts_s)
    if not all(map(math.isfinite, times_s)):
        raise ValueError("a picture without a time")
    if bgr.flags.c_contiguous and bgr.flags.writeable:
        return frame
    return replace(frame, bgr=np.array(bgr))


def as_bgr(picture: NDArray[Any]) -> ImageU8:
    """Any decoded picture as (H, W, 3) BGR uint8, C-contiguous.

    Takes grey (H, W) or (H, W, 1), BGR, BGRA (blended over white), with 8-bit, 16-bit or 0..1 float channels.

    Raises:
        ValueError: the array is empty or has no such shape.
    """
    import cv2

    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[:, :, 0]
    if picture.ndim not in (2, 3) or picture.size == 0 or (picture.ndim == 3 and picture.shape[2] not in (3, 4)):
        raise ValueError(f"a picture of shape {picture.shape}")
    if picture.dtype == np.uint16:
        picture = (picture >> 8).astype(np.uint8)
    elif picture.dtype != np.uint8:
        picture = (np.nan_to_num(np.clip(picture.astype(np.float32), 0, 1)) * 255 + 0.5).astype(np.uint8)
    if picture.ndim == 2:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)  # type: ignore[return-value]
    if picture.shape[2] == 4:
        alpha = picture[:, :, 3:].astype(np.float32) / 255
        picture = (picture[:, :, :3] * alpha + 255 * (1 - alpha) + 0.5).astype(np.uint8)
    return np.ascontiguousarray(picture)


def fit_into(frame_bgr: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """The whole picture at another size: scaled evenly, black bars where the shapes differ.

    Returns the very same array where the size already fits.
    """
    import cv2

    height, width = frame_bgr.shape[:2]
    if (width, height) == size_wh:
        return frame_bgr
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    left, top = (size_wh[0] - inner_w) // 2, (size_wh[1] - inner_h) // 2
    canvas[top : top + inner_h, left : left + inner_w] = cv2.resize(frame_bgr, (inner_w, inner_h), interpolation=how)
    return canvas
