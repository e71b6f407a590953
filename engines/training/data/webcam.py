"""Augmentation: relighting, rotation, and the faults of webcams (blur, noise, compression, low resolution).

Relighting and geometry apply to input and target alike. Camera faults apply to the input only: the target shows the
scene, not the camera. JPEG also stands for MJPEG webcams, which send one JPEG a frame. Pictures are uint8 RGB; a crop
of 128 pixels takes about 1 ms.
"""

from __future__ import annotations

import functools
import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engines.training.data.picture_pairs import ImageU8

_NOISE_SIDE_PX = 512

_AVERAGED_BELOW = 0.75  # scale


def light_curve(rng: np.random.Generator, strength: float = 1.0) -> ImageU8:
    """Return a look-up table (256, 3) uint8 for another brightness, contrast and colour temperature."""
    gain = math.exp(rng.uniform(-0.45, 0.2) * strength)
    gamma = math.exp(rng.uniform(-0.3, 0.3) * strength)
    warm = rng.uniform(-0.12, 0.12) * strength  # red against blue: the axis on which lamps and daylight differ most
    green = rng.uniform(-0.03, 0.03) * strength
    tint = np.array([1 + warm, 1 + green, 1 - warm])
    levels = (np.arange(256) / 255.0)[:, None] ** gamma * gain * tint
    # A soft shoulder, as cameras have, keeps faces from clipping at white under brighter light.
    over = levels > 0.9
    levels[over] = 0.9 + 0.1 * np.tanh((levels[over] - 0.9) / 0.1)
    return np.asarray(np.rint(np.clip(levels, 0, 1) * 255), np.uint8)


def relit(picture: ImageU8, curve: ImageU8) -> ImageU8:
    """Return a picture (H, W, C) uint8 with a `light_curve` (256, 3) uint8 applied to its first three channels, RGB."""
    lit = cv2.LUT(np.ascontiguousarray(picture[:, :, :3]), curve[None])
    return np.concatenate((lit, picture[:, :, 3:]), axis=2) if picture.shape[2] > 3 else lit  # type: ignore[return-value]


def turn_matrix(
    rng: np.random.Generator, side_px: int, scales: tuple[float, float] = (0.9, 1.12)
) -> NDArray[np.float64]:
    """Return a (2, 3) matrix of a small rotation and a scale about the middle of a square, for `cv2.warpAffine`."""
    middle = (side_px - 1) / 2
    return cv2.getRotationMatrix2D((middle, middle), rng.uniform(-20.0, 20.0), rng.uniform(*scales))  # type: ignore[return-value]


def warped(picture: ImageU8, matrix: NDArray[np.float64], side_px: int) -> ImageU8:
    """Return (side_px, side_px, C) uint8, the picture through a (2, 3) matrix, mirrored beyond the border.

    The channels are a multiple of three. A picture that is reduced is averaged first.
    """
    if picture.shape[2] > 3:  # OpenCV averages and warps four channels at most
        parts = np.split(picture, picture.shape[2] // 3, axis=2)
        return np.concatenate([warped(np.ascontiguousarray(part), matrix, side_px) for part in parts], axis=2)
    scale = float(np.hypot(*matrix[:, 0]))
    if scale < _AVERAGED_BELOW:
        height, width = picture.shape[:2]
        small_wh = round(scale * width), round(scale * height)
        fx, fy = width / small_wh[0], height / small_wh[1]
        matrix = matrix @ np.array([[fx, 0, 0.5 * fx - 0.5], [0, fy, 0.5 * fy - 0.5], [0, 0, 1]])
        picture = cv2.resize(picture, small_wh, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.warpAffine(  # type: ignore[return-value]
        picture, matrix, (side_px, side_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )


@functools.cache
def _noise_fields() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return unit noise (S, S, 3), white and coarse. Demosaicing and denoising leave noise a few pixels wide."""
    white = np.random.default_rng(20).standard_normal((_NOISE_SIDE_PX, _NOISE_SIDE_PX, 3)).astype(np.float32)
    coarse = cv2.GaussianBlur(white, (0, 0), 0.9)
    return white, np.asarray(coarse / coarse.std(), np.float32)


def spoil(picture_rgb: ImageU8, rng: np.random.Generator, strength: float = 1.0) -> ImageU8:
    """Degrade a picture (H, W, 3) uint8 as cheap cameras and video calls do: lens, sensor, exposure, compression.

    A low-resolution camera's noise and JPEG blocks are at its own resolution and are enlarged with the picture. The
    same state of the random generator gives the same bytes. `strength`, 0..1, scales the probability of each fault.
    """
    picture, (height, width) = picture_rgb, picture_rgb.shape[:2]
    if rng.random() < 0.2 * strength:
        picture = _motion_blur(picture, rng) if rng.random() < 0.6 else _defocus(picture, rng)
    for share, fault in ((0.25, _shrunk), (0.6, _noisy), (0.5, _jpeg)):
        if rng.random() < share * strength:
            picture = fault(picture, rng)
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)  # type: ignore[return-value]


def _noisy(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    """Add sensor noise of random strength, weaker where the picture is bright."""
    height, width = picture.shape[:2]
    field = _noise_fields()[int(rng.integers(2))]
    if max(height, width) > _NOISE_SIDE_PX:
        field = np.tile(field, (height // _NOISE_SIDE_PX + 1, width // _NOISE_SIDE_PX + 1, 1))
    top = int(rng.integers(field.shape[0] - height + 1))
    left = int(rng.integers(field.shape[1] - width + 1))
    patch = field[top : top + height, left : left + width]
    sigma = math.exp(rng.uniform(math.log(1.0), math.log(9.0)))
    if rng.random() < 0.5:  # equal noise in all colours, as chroma denoising leaves it
        patch = np.repeat(patch[:, :, :1], 3, axis=2)
    spoilt = picture.astype(np.float32)
    spoilt += patch * (sigma * (1.15 - spoilt / 400))
    return np.asarray(np.clip(np.rint(spoilt), 0, 255), np.uint8)


def _shrunk(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    height, width = picture.shape[:2]
    factor = rng.uniform(0.4, 0.85)
    small_wh = (max(4, round(width * factor)), max(4, round(height * factor)))
    return cv2.resize(picture, small_wh, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _motion_blur(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    length, angle = rng.uniform(2.0, 7.0), rng.uniform(0, math.pi)
    half = math.ceil(length / 2)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = length / 2 * np.array([math.cos(angle), math.sin(angle)])
    ends = np.rint((half + np.array([-reach, reach])) * 16).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), (1.0,), 1, cv2.LINE_8, 4)
    return cv2.filter2D(picture, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT_101)  # type: ignore[return-value]


def _defocus(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    return cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3))  # type: ignore[return-value]


def _jpeg(picture: ImageU8, rng: np.random.Generator) -> ImageU8:
    quality = int(rng.integers(35, 93))
    encoded = cv2.imencode(".jpg", picture[:, :, ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    spoilt_bgr = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert spoilt_bgr is not None
    return spoilt_bgr[:, :, ::-1]  # type: ignore[return-value]
