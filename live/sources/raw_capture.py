"""OpenCV camera capture: opening, decoding of raw driver formats, suppression of OpenCV's log."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import ImageU8, as_bgr
from live.pipeline.frame_pool import FramePool

_BACKENDS = {"win32": (cv2.CAP_DSHOW, cv2.CAP_MSMF), "darwin": (cv2.CAP_AVFOUNDATION,), "linux": (cv2.CAP_V4L2,)}
_PACKED_YUV = {"YUYV": cv2.COLOR_YUV2BGR_YUYV, "YUY2": cv2.COLOR_YUV2BGR_YUYV, "UYVY": cv2.COLOR_YUV2BGR_UYVY}
_PLANAR_YUV = {"NV12": cv2.COLOR_YUV2BGR_NV12, "NV21": cv2.COLOR_YUV2BGR_NV21, "YV12": cv2.COLOR_YUV2BGR_YV12}


def open_capture(device: int | str) -> cv2.VideoCapture:
    """Open a cv2.VideoCapture with the native backend of the system; check `isOpened` for success."""
    # OpenCV's default timeout for a frame is 10 s. It takes whole seconds and is read once, before the first wait.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    for backend in _BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
        capture = cv2.VideoCapture(device, backend)
        if capture.isOpened():
            break
    return capture


def decode_raw_frame(
    raw: NDArray[Any], size_wh: tuple[int, int], fourcc: str, pool: FramePool | None = None
) -> ImageU8 | None:
    """Convert a captured frame to BGR, decoding it if the driver did not.

    Args:
        raw: (H, W, 3) BGR, (H, W, 4) BGRX, (H, W, 2) 4:2:2, (H, W) grey or planar 4:2:0, or a single row of bytes: a
            JPEG or any of these formats. uint8; grey may also be uint16.
        size_wh: Frame size reported by the driver.
        fourcc: Pixel format reported by the driver ("YUYV"); used if the shape is ambiguous.
        pool: Supplies the memory of converted frames.

    Returns:
        (H, W, 3) uint8, BGR, C-contiguous; None if the frame cannot be decoded (a damaged JPEG).
    """
    width, height = size_wh
    if raw.size == 0:
        return None
    if raw.ndim < 3 and raw.dtype == np.uint8 and (raw.ndim == 1 or 1 in raw.shape[:2]) and raw.size > 1:
        if raw.flat[0] == 0xFF and raw.flat[1] == 0xD8:
            decoded = cv2.imdecode(np.ascontiguousarray(raw).reshape(-1), cv2.IMREAD_COLOR)
            return None if decoded is None else decoded  # type: ignore[return-value]
        shapes = {1.0: (height, width), 1.5: (height * 3 // 2, width), 2.0: (height, width, 2), 3.0: (height, width, 3)}
        shape = shapes.get(raw.size / max(1, width * height))
        if shape is None or int(np.prod(shape)) != raw.size:
            return None
        raw = raw.reshape(shape)
    if raw.ndim == 3 and raw.shape[2] == 2:
        return _yuv_to_bgr(raw, _PACKED_YUV.get(fourcc, cv2.COLOR_YUV2BGR_YUYV), raw.shape[:2], pool)
    if raw.ndim == 2 and raw.dtype == np.uint8 and raw.shape == (height * 3 // 2, width) and height % 2 == 0:
        return _yuv_to_bgr(raw, _PLANAR_YUV.get(fourcc, cv2.COLOR_YUV2BGR_I420), (height, width), pool)
    if raw.ndim == 3 and raw.shape[2] == 4:
        raw = raw[:, :, :3]  # a camera's fourth byte is padding, not transparency
    try:
        return as_bgr(raw)
    except ValueError:
        return None


def _yuv_to_bgr(raw: NDArray[Any], code: int, shape: tuple[int, ...], pool: FramePool | None) -> ImageU8:
    bgr = (pool or FramePool()).take((*shape, 3))
    return cv2.cvtColor(raw, code, dst=bgr)  # type: ignore[return-value]


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Suppress OpenCV's log inside the block; failures are reported through SourceError instead."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
