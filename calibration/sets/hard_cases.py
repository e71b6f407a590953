"""Variants of an image that imitate difficult webcam conditions."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.cache.calibration_set import CASES

ImageU8 = NDArray[np.uint8]

_MAX_SIDE_PX = 1280  # of a typical webcam image
_DARK_GAIN = 0.22
_DARK_SIGMA, _NOISY_SIGMA = 3.0, 12.0  # levels of 255
_ROTATION_DEGREES = (18.0, 32.0)
_COARSE_SCALE, _COARSE_JPEG_QUALITY = 0.35, 30


def hard_cases(picture_bgr: ImageU8, rng: np.random.Generator) -> dict[str, ImageU8]:
    """Return the variants of an (H, W, 3) BGR uint8 image by the names in `CASES`, at most 1280 pixels a side."""
    plain_bgr = _shrink(picture_bgr)
    variants = {
        "plain": plain_bgr,
        "dark": _add_noise(np.asarray(plain_bgr * np.float32(_DARK_GAIN), np.float32), _DARK_SIGMA, rng),
        "noisy": _add_noise(plain_bgr.astype(np.float32), _NOISY_SIGMA, rng),
        "turned": _rotate(plain_bgr, rng),
        "coarse": _coarsen(plain_bgr),
    }
    assert tuple(variants) == CASES
    return variants


def _shrink(picture_bgr: ImageU8) -> ImageU8:
    height, width = picture_bgr.shape[:2]
    scale = _MAX_SIDE_PX / max(height, width)
    if scale >= 1:
        return picture_bgr
    size_wh = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture_bgr, size_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _add_noise(picture: NDArray[np.float32], sigma: float, rng: np.random.Generator) -> ImageU8:
    """Add normal noise: half of its variance is common to the three channels, half is independent."""
    common = rng.standard_normal((*picture.shape[:2], 1), np.float32)
    independent = rng.standard_normal(picture.shape, np.float32)
    noisy = picture + sigma * (0.7 * common + 0.7 * independent)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _rotate(picture_bgr: ImageU8, rng: np.random.Generator) -> ImageU8:
    height, width = picture_bgr.shape[:2]
    degrees = rng.uniform(*_ROTATION_DEGREES) * rng.choice((-1.0, 1.0))
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), float(degrees), 1.0)
    return cv2.warpAffine(  # type: ignore[return-value]
        picture_bgr, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _coarsen(picture_bgr: ImageU8) -> ImageU8:
    """Reduce, compress as JPEG, and enlarge again."""
    height, width = picture_bgr.shape[:2]
    small_wh = max(8, round(width * _COARSE_SCALE)), max(8, round(height * _COARSE_SCALE))
    small_bgr = cv2.resize(picture_bgr, small_wh, interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small_bgr, (cv2.IMWRITE_JPEG_QUALITY, _COARSE_JPEG_QUALITY))[1]
    decoded_bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded_bgr is not None
    return cv2.resize(decoded_bgr, (width, height), interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
