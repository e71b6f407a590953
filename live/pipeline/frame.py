"""The values that the pipeline hands on: a frame, the faces on it, and a frame with its faces."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ImageU8 = NDArray[np.uint8]
Floats = NDArray[np.float32]
Head = tuple[tuple[float, float], float]
"""Centre and longer side of a head's face, in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """How the pixels of a film are meant; numbers of ITU-T H.273.

    Attributes:
        primaries: Of the BGR pixels; 2 if unspecified.
        transfer: Of the BGR pixels; 2 if unspecified.
        matrix: Of the file's YUV pixels.
    """

    primaries: int
    transfer: int
    matrix: int


BT709 = ColourTags(1, 1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture.

    A source does not touch the array any more after it returned the frame, so the renderer may paint in place.

    Attributes:
        bgr: (H, W, 3) uint8 BGR, C-contiguous and writeable.
        frame_id: Counts up from 0 without gaps, in the source.
        captured_s: `time.monotonic()` when the picture was complete in memory.
        pts_s: Presentation time in its file, in seconds; None for a live source.
        coverage: How much of the faces is hidden, 0..1: 0 as captured; 1 drawn at full strength, a blur or a card. See
            `live.render.privacy_policy.required_coverage`.
        colour: How a file of this picture is to be tagged.
        shown: What the picture is: "picture" (painted), "hold" (an earlier painted one), "blur", "card" or "raw".
        look: Name of the look that was painted; empty if none was.
        note: What files of this picture must say: that a face was swapped; empty otherwise.
        hold_s: Of the last frame of a film: how long it is shown, in seconds; None of every other frame.
    """

    bgr: ImageU8
    frame_id: int
    captured_s: float
    pts_s: float | None = None
    coverage: float = 0.0
    colour: ColourTags = BT709
    shown: str = "raw"
    look: str = ""
    note: str = ""
    hold_s: float | None = None

    @property
    def time_s(self) -> float:
        """Time in seconds on the clock of the source: the file's, or the monotonic clock for a live source."""
        return self.captured_s if self.pts_s is None else self.pts_s

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.bgr.shape[1], self.bgr.shape[0]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face on one frame.

    Attributes:
        face_id: Stays the same while the face is found.
        landmarks_xy: (478, 2) float32, pixels of that frame, in the order of MediaPipe's face mesh.
        hands: Before the face or near it, (21, 3) float32 each, in the order of MediaPipe's hands: pixels of the frame,
            and depth in the same unit; what is nearer to the camera has less.
    """

    face_id: int
    landmarks_xy: Floats
    hands: tuple[Floats, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFrame:
    """A frame and its tracking results.

    Attributes:
        faces: Found on this frame.
        track_ms: Tracking time.
        person: (h, w) uint8 mask of the whole frame at a small size, 255 where a pixel certainly shows a person; None
            if no segmentation was done.
        outlined: The part of that mask whose border certainly is that of a person; None for all of it.
        names: Persons of faces by id, "" for a stranger; a face without an entry is undecided.
        lost: Faces that were lost a moment ago and may still be in the picture; only if persons are recognised.
        heads: Those whose faces are not tracked; only if everyone is searched.
    """

    frame: Frame
    faces: tuple[Face, ...]
    track_ms: float
    person: ImageU8 | None = None
    names: Mapping[int, str] = field(default_factory=dict)
    outlined: ImageU8 | None = None
    lost: tuple[Face, ...] = ()
    heads: tuple[Head, ...] = ()


def checked(frame: Frame) -> Frame:
    """Validate a frame; an array that is not C-contiguous or not writeable is copied.

    Raises:
        ValueError: The picture has another type, shape or dtype, is empty, or has no finite time; the message
            describes what it is.
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
    """Convert any decoded picture to (H, W, 3) uint8 BGR, C-contiguous.

    Args:
        picture: Grey (H, W) or (H, W, 1), BGR (H, W, 3), or BGRA (H, W, 4), which is blended over white; uint8, uint16
            or float of 0..1.

    Raises:
        ValueError: The array is empty or has another shape.
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
    """Scale a (H, W, 3) picture to another size, keeping its aspect ratio, with black bars.

    Returns the same array if it has that size already.
    """
    import cv2

    height, width = frame_bgr.shape[:2]
    if (width, height) == size_wh:
        return frame_bgr
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_w, inner_h = max(1, round(width * scale)), max(1, round(height * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    left, top = (size_wh[0] - inner_w) // 2, (size_wh[1] - inner_h) // 2
    inner_bgr = cv2.resize(frame_bgr, (inner_w, inner_h), interpolation=interpolation)
    canvas[top : top + inner_h, left : left + inner_w] = inner_bgr
    return canvas
