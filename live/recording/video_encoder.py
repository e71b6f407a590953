"""Video compression: encoder selection, and conversion from BGR to YUV (BT.709)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np

from live.pipeline.frame import ImageU8
from live.pipeline.frame_pool import FramePool

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_MIN_SIZE_WH = (16, 16)  # players and some encoders fail on smaller frames

# BT.709, limited range: Y' in 16..235, Cb and Cr in 16..240 around 128. ITU-R BT.709-6, section 3.
_RED, _BLUE = 0.2126, 0.0722
_LUMA_RGB = np.array([_RED, 1 - _RED - _BLUE, _BLUE])
_CB_RGB = (np.array([0, 0, 1]) - _LUMA_RGB) / (2 * (1 - _BLUE))
_CR_RGB = (np.array([1, 0, 0]) - _LUMA_RGB) / (2 * (1 - _RED))
_YCC_RGB = np.stack([_LUMA_RGB * 219 / 255, _CB_RGB * 224 / 255, _CR_RGB * 224 / 255])
_YCC_BGR1 = np.column_stack([_YCC_RGB[:, ::-1], [16, 128, 128]]).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Encoder:
    """A video encoder and its settings.

    Attributes:
        name: FFmpeg's name of the encoder.
        ticks_per_s: Finest time base it supports (MPEG-4 Part 2 has 16 bits for it).
        options: Quality comparable to x264's CRF 18; no frame reordering.
        warning: Message for the user if this encoder is not the first choice.
    """

    name: str
    ticks_per_s: int
    options: tuple[tuple[str, str], ...]
    warning: str = ""


def _fixed_quality(quantizer: int) -> tuple[tuple[str, str], ...]:
    """Return the options of encoders without CRF; FFmpeg counts quality in units of 118."""
    return ("flags", "+qscale"), ("global_quality", str(quantizer * 118)), ("bf", "0")


# Without B-frames the decoding time of a frame equals its presentation time, a killed recording loses less, and a 720p
# frame takes about a sixth less time; files are a quarter larger.
ENCODERS = (
    Encoder("libx264", 90000, (("crf", "18"), ("preset", "veryfast"), ("bf", "0"))),
    Encoder("libopenh264", 90000, (("b", "8M"),), "no libx264 here: H.264 by OpenH264"),
    Encoder("h264_videotoolbox", 90000, _fixed_quality(65), "no libx264 here: H.264 by VideoToolbox"),
    Encoder("h264_mf", 90000, (("quality", "80"), ("rate_control", "quality")), "no libx264 here: H.264 by Windows"),
    Encoder("mpeg4", 60000, _fixed_quality(3), "no H.264 encoder here: MPEG-4 Part 2, larger files"),
)


def even_size(size_wh: tuple[int, int], min_wh: tuple[int, int] = _MIN_SIZE_WH) -> tuple[int, int]:
    """Return the smallest even size that contains a frame and is at least `min_wh`, for 4:2:0 video."""
    width, height = (max(minimum, side + side % 2) for side, minimum in zip(size_wh, min_wh, strict=True))
    return width, height


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


def bgr_to_yuv420(frame_bgr: ImageU8, pool: FramePool) -> ImageU8:
    """Convert BGR to planar YUV 4:2:0 with the BT.709 matrix, limited range.

    FFmpeg's scaler is not used: it defaults to BT.601, and the way to change that differs between PyAV versions.

    Args:
        frame_bgr: (H, W, 3) uint8, BGR, 0..255, H and W even.
        pool: Supplies the memory.

    Returns:
        (H * 3 / 2, W) uint8: the Y plane, then Cb and Cr at half size (each the mean of four pixels).
    """
    height, width = frame_bgr.shape[:2]
    planes = pool.take((height * 3 // 2, width))
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    cv2.transform(frame_bgr, _YCC_BGR1[:1], dst=planes[:height])
    half_bgr = cv2.resize(frame_bgr, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    cv2.transform(half_bgr, _YCC_BGR1[1:2], dst=chroma[0])
    cv2.transform(half_bgr, _YCC_BGR1[2:], dst=chroma[1])
    return planes


def _is_working(encoder: Encoder, size_wh: tuple[int, int], rate: Fraction) -> bool:
    """Open the encoder once: FFmpeg also lists encoders whose driver is missing."""
    import av
    from av.codec import CodecContext

    try:
        context = CodecContext.create(encoder.name, "w")
        context.width, context.height, context.pix_fmt = *size_wh, "yuv420p"  # type: ignore[attr-defined]
        context.time_base, context.framerate = Fraction(1, encoder.ticks_per_s), rate  # type: ignore[attr-defined]
        context.options = dict(encoder.options)
        context.open()
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def pick_encoder(size_wh: tuple[int, int], rate: Fraction) -> Encoder | None:
    """Return the first of `ENCODERS` that opens at this size and rate; None if none does."""
    return next((encoder for encoder in ENCODERS if _is_working(encoder, size_wh, rate)), None)


def add_video_stream(
    container: OutputContainer, encoder: Encoder, size_wh: tuple[int, int], rate: Fraction
) -> VideoStream:
    """Add a video stream tagged BT.709, with a key frame about every two seconds.

    Up to 720p on a small machine it encodes in one thread: face tracking needs the other core more.
    """
    tags = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709", "color_range": "tv"}
    stream: Any = container.add_stream(encoder.name, rate=rate, options={**dict(encoder.options), **tags})
    stream.width, stream.height, stream.pix_fmt = *size_wh, "yuv420p"
    stream.codec_context.time_base = Fraction(1, encoder.ticks_per_s)
    stream.codec_context.gop_size = max(1, round(rate * 2))
    is_large = size_wh[0] * size_wh[1] > 1280 * 720
    stream.codec_context.thread_count = 2 if is_large or (os.cpu_count() or 1) >= 4 else 1
    return cast("VideoStream", stream)
