"""OpenCV camera capture: opening, and suppression of OpenCV's log. OpenCV converts the driver's formats to BGR."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_BACKENDS = {"win32": (cv2.CAP_DSHOW, cv2.CAP_MSMF), "darwin": (cv2.CAP_AVFOUNDATION,), "linux": (cv2.CAP_V4L2,)}


def open_capture(device: int | str) -> cv2.VideoCapture:
    """Open a cv2.VideoCapture with the native backend of the system; check `isOpened` for success."""
    # OpenCV's default timeout for a frame is 10 s. It takes whole seconds and is read once, before the first wait.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")
    for backend in _BACKENDS.get(sys.platform, (cv2.CAP_ANY,)):
        capture = cv2.VideoCapture(device, backend)
        if capture.isOpened():
            break
    return capture


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Suppress OpenCV's log inside the block; failures are reported through SourceError instead."""
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
