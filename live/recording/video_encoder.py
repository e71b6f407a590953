"""Video compression: conversion from BGR to YUV, and the video stream of a container."""

from __future__ import annotations

import functools
import os
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from live.pipeline.frame import ColourTags, ImageU8
from live.pipeline.frame_pool import FramePool
from live.recording.encoders import Encoder, EncoderSettings, encoder_options

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_MIN_SIZE_WH = (16, 16)  # players and some encoders fail on smaller frames

# Weights of red and blue in the luma of a matrix, by its number in ITU-T H.273, section 8.3.
_LUMA_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


@functools.cache
def _ycc_bgr1(matrix: int) -> NDArray[np.float32]:
    """Return the rows that convert (B, G, R, 1) of 0..255 to Y', Cb, Cr of limited range (16..235, 16..240)."""
    red, blue = _LUMA_WEIGHTS[matrix]
    luma = np.array([blue, 1 - red - blue, red])
    cb, cr = (np.array([1, 0, 0]) - luma) / (2 * (1 - blue)), (np.array([0, 0, 1]) - luma) / (2 * (1 - red))
    rows = np.stack([luma * 219 / 255, cb * 224 / 255, cr * 224 / 255])
    return np.column_stack([rows, [16, 128, 128]]).astype(np.float32)


def even_size(size_wh: tuple[int, int], min_wh: tuple[int, int] = _MIN_SIZE_WH) -> tuple[int, int]:
    """Return the smallest even size that contains a frame and is at least `min_wh`, for 4:2:0 video."""
    width, height = (max(minimum, side + side % 2) for side, minimum in zip(size_wh, min_wh, strict=True))
    return width, height


def fitting_size(size_wh: tuple[int, int], largest_wh: tuple[int, int] | None) -> tuple[int, int]:
    """Return the largest even size of about the same aspect ratio in `largest_wh`; the size itself if that is None."""
    if largest_wh is None:
        return size_wh
    scale = min(largest_wh[0] / size_wh[0], largest_wh[1] / size_wh[1])
    return max(2, round(size_wh[0] * scale) // 2 * 2), max(2, round(size_wh[1] * scale) // 2 * 2)


def scaled(frame_bgr: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """Scale a (H, W, 3) picture to a size of about the same aspect ratio; the same array if it has that size."""
    height, width = frame_bgr.shape[:2]
    if (width, height) == size_wh:
        return frame_bgr
    interpolation = cv2.INTER_AREA if size_wh[0] < width else cv2.INTER_CUBIC
    return cv2.resize(frame_bgr, size_wh, interpolation=interpolation)  # type: ignore[return-value]


def pad_edges(frame_bgr: ImageU8, size_wh: tuple[int, int]) -> ImageU8:
    """Extend a frame at the right and bottom by repeating its edge pixels.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR.
        size_wh: Target size, at least the frame's.

    Returns:
        The padded frame; the same array if the size already fits.
    """
    height, width = frame_bgr.shape[:2]
    right, bottom = size_wh[0] - width, size_wh[1] - height
    if not right and not bottom:
        return frame_bgr
    return cv2.copyMakeBorder(frame_bgr, 0, bottom, 0, right, cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def bgr_to_yuv420(frame_bgr: ImageU8, pool: FramePool, matrix: int = 1) -> ImageU8:
    """Convert BGR to planar YUV 4:2:0 of limited range, correctly rounded.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR, 0..255, H and W even.
        matrix: Number of ITU-T H.273: 1 (BT.709), 4, 5 and 6 (BT.601), 7 or 9 (BT.2020).
        pool: Supplies the memory.

    Returns:
        (H * 3 / 2, W) uint8: the Y plane, then Cb and Cr at half size (each the mean of four pixels).
    """
    height, width = frame_bgr.shape[:2]
    planes = pool.take((height * 3 // 2, width))
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    luma, cb, cr = np.split(_ycc_bgr1(matrix), 3)
    cv2.transform(frame_bgr, luma, dst=planes[:height])
    half_bgr = cv2.resize(frame_bgr, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    cv2.transform(half_bgr, cb, dst=chroma[0])
    cv2.transform(half_bgr, cr, dst=chroma[1])
    return planes


def add_video_stream(
    container: OutputContainer, encoder: Encoder, settings: EncoderSettings, size_wh: tuple[int, int], rate: Fraction
) -> VideoStream:
    """Add a video stream with a key frame about every two seconds.

    Up to 720p on a small machine it encodes in one thread: face tracking needs the other core more.

    Raises:
        ValueError: The container cannot hold the encoder's codec.
    """
    stream: Any = container.add_stream(encoder.name, rate=rate, options=encoder_options(encoder, settings))
    stream.width, stream.height, stream.pix_fmt = *size_wh, encoder.pixel_format
    if encoder.codec_tag and container.format.name in ("mp4", "mov"):
        stream.codec_tag = encoder.codec_tag
    stream.codec_context.time_base = Fraction(1, encoder.ticks_per_s)
    stream.codec_context.gop_size = max(1, round(rate * 2))
    is_large = size_wh[0] * size_wh[1] > 1280 * 720
    stream.codec_context.thread_count = 2 if is_large or (os.cpu_count() or 1) >= 4 else 1
    return cast("VideoStream", stream)


def add_note(container: OutputContainer, note: str) -> None:
    """Add a note to the comment of a film, before its first picture is written."""
    if note:
        key = next((key for key in container.metadata if key.lower() == "comment"), "comment")  # Matroska: COMMENT
        container.metadata[key] = "; ".join(filter(None, (container.metadata.get(key), note)))


def tag_colours(stream: VideoStream, colour: ColourTags) -> None:
    """Declare the colours of a stream; before its first frame."""
    context: Any = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace = colour.primaries, colour.transfer, colour.matrix
    context.color_range = 1  # limited
