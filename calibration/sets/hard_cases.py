"""One picture as a calibration set holds it: as it is, and as the hard cases that webcams make of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.calibration_set import CASES

ImageU8 = NDArray[np.uint8]

_MOST_SIDE_PX = 1280  # a webcam's picture
_DARK = 0.22  # of the light
_DARK_NOISE, _NOISE = 3.0, 12.0  # of 255
_TURNED_DEGREES = (18.0, 32.0)
_COARSE, _COARSE_JPEG = 0.35, 30  # of the resolution; quality


def hard_cases(picture_bgr: ImageU8, rng: np.random.Generator) -> dict[str, ImageU8]:
    """A picture (H, W, 3) BGR by the names of `CASES`, at most 1280 pixels on its longer side.

    Args:
        picture_bgr: as the camera or the photo shows it.
        rng: for noise, and which way it is turned.
    """
    plain_bgr = _brought_down(picture_bgr)
    made = {
        "plain": plain_bgr,
        "dark": _noisy(np.asarray(plain_bgr * np.float32(_DARK), np.float32), _DARK_NOISE, rng),
        "noisy": _noisy(plain_bgr.astype(np.float32), _NOISE, rng),
        "turned": _turned(plain_bgr, rng),
        "coarse": _coarse(plain_bgr),
    }
    assert tuple(made) == CASES
    return made


def _brought_down(picture_bgr: ImageU8) -> ImageU8:
    height, width = picture_bgr.shape[:2]
    scale = _MOST_SIDE_PX / max(height, width)
    if scale >= 1:
        return picture_bgr
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture_bgr, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _noisy(picture: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> ImageU8:
    """Sensor noise, a part of it the same in all colours and a part of its own in each."""
    shared = rng.standard_normal((*picture.shape[:2], 1), np.float32)
    own = rng.standard_normal(picture.shape, np.float32)
    return np.asarray(np.clip(np.rint(picture + sigma * (0.7 * shared + 0.7 * own)), 0, 255), np.uint8)


def _turned(picture_bgr: ImageU8, rng: np.random.Generator) -> ImageU8:
    """The head to one side, and the room with it."""
    height, width = picture_bgr.shape[:2]
    degrees = rng.uniform(*_TURNED_DEGREES) * rng.choice((-1.0, 1.0))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(degrees), 1.0)
    return cv2.warpAffine(  # type: ignore[return-value]
        picture_bgr, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _coarse(picture_bgr: ImageU8) -> ImageU8:
    """A low resolution, compressed hard, enlarged again."""
    height, width = picture_bgr.shape[:2]
    small_wh = max(8, round(width * _COARSE)), max(8, round(height * _COARSE))
    small_bgr = cv2.resize(picture_bgr, small_wh, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small_bgr, (cv2.IMWRITE_JPEG_QUALITY, _COARSE_JPEG))[1]
    sent_bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert sent_bgr is not None
    return cv2.resize(sent_bgr, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
